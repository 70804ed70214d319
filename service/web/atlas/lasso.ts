/** Drawing a region: by hand with mouse, pen or touch, and by keys as a rectangle. Regions are text: x,y;x,y;… in cells. */

import type { Point } from "./annotations";
import type { Viewer } from "./viewer";

/** Corners of a region that is drawn by hand, at most: it must fit into an address. */
const CORNERS = 80;
/** Pixels between two corners that are drawn, at least; a smaller drawing is none. */
const STEP = 5;

/** The corners that a text names; none where it is none. */
export function corners(text: string): Point[] {
  const found = text.split(";").map((corner) => corner.split(",").map(Number));
  return found.every((one) => one.length === 2 && one.every(Number.isFinite))
    ? found.map(([x = 0, y = 0]) => ({ x, y }))
    : [];
}

function written(points: readonly Point[]): string {
  return points.map(({ x, y }) => `${Number(x.toFixed(2))},${Number(y.toFixed(2))}`).join(";");
}

/** The region with two points as opposite corners. */
export function rectangle(one: Point, other: Point): string {
  return written([one, { x: other.x, y: one.y }, other, { x: one.x, y: other.y }]);
}

/** The rectangle around the middle of what is seen, half as wide and high. */
export function middle(viewer: Viewer): string {
  const { x, y, across, down } = viewer.look();
  return rectangle({ x: x - across / 4, y: y - down / 4 }, { x: x + across / 4, y: y + down / 4 });
}

/** Drawing by hand over one frame, while it is on. */
export class Lasso {
  private readonly sheet = document.createElement("div");
  private drawn: Point[] = [];

  /** done: hears of each region that was drawn. */
  constructor(
    private readonly viewer: Viewer,
    private readonly done: (region: string) => void,
  ) {
    this.sheet.className = "drawing";
    this.sheet.hidden = true;
    viewer.osd.container.append(this.sheet);
    this.sheet.addEventListener("pointerdown", (event) => this.begin(event));
    this.sheet.addEventListener("pointermove", (event) => this.go(event));
    this.sheet.addEventListener("pointerup", () => this.end());
    this.sheet.addEventListener("pointercancel", () => (this.drawn = []));
  }

  /** Whether the pointer draws instead of moving the map. */
  turn(on: boolean): void {
    this.sheet.hidden = !on;
    this.drawn = [];
  }

  private begin(event: PointerEvent): void {
    event.preventDefault();
    if (event.button || !event.isPrimary) return;
    this.sheet.setPointerCapture(event.pointerId);
    this.drawn = [{ x: event.offsetX, y: event.offsetY }];
  }

  private go(event: PointerEvent): void {
    const last = this.drawn.at(-1);
    if (!last || !event.isPrimary) return;
    if (Math.hypot(event.offsetX - last.x, event.offsetY - last.y) < STEP) return;
    this.drawn.push({ x: event.offsetX, y: event.offsetY });
    this.viewer.above.outline(this.drawn.map((point) => this.viewer.placeAt(point)));
  }

  private end(): void {
    const step = Math.ceil(this.drawn.length / CORNERS);
    const points = this.drawn.filter((_, place) => place % step === 0);
    this.drawn = [];
    if (points.length < 3) return;
    this.done(written(points.map((point) => this.viewer.placeAt(point))));
  }
}
