/** What a person does around the frames: buttons, the search, and the keys. */

import type { Point } from "./annotations";
import { rectangle } from "./lasso";
import { element } from "../dom";
import type { Frame } from "./frame";

/** What the controls ask of the page. */
export interface Actions {
  frame(): Frame;
  home(): void;
  grid(name: string): void;
  /** An item by its number, or the items that a filter keeps; for a class whose name is a number the latter. */
  search(item: string, where: string | null): void;
  draw(on: boolean): void;
  /** A region of the frame that is in use; none with an empty text. */
  region(corners: string): void;
  middle(): void;
  enter(): void;
  /** The map of this frame is moved by keys, and not the pointer. */
  moving(frame: Frame): void;
}

export class Controls {
  private readonly lasso = element("atlas-lasso");
  private readonly clear = element<HTMLButtonElement>("atlas-clear");
  private corner: Point | null = null;

  constructor(private readonly actions: Actions) {
    element("atlas-in").addEventListener("click", () => actions.frame().viewer.zoom(1.5));
    element("atlas-out").addEventListener("click", () => actions.frame().viewer.zoom(1 / 1.5));
    element("atlas-whole").addEventListener("click", () => actions.home());
    element("atlas-middle").addEventListener("click", () => actions.middle());
    this.lasso.addEventListener("click", () => this.draw(this.lasso.getAttribute("aria-pressed") !== "true"));
    this.clear.addEventListener("click", () => this.none());
    for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-grid]"))
      button.addEventListener("click", () => actions.grid(button.dataset["grid"] ?? ""));
    const form = element<HTMLFormElement>("atlas-search");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = String(new FormData(form).get("find") ?? "").trim();
      const number = /^(?:(?:image|unit|sample)\s*)?(\d+)$/i.exec(text)?.[1];
      const where = className(text);
      actions.search(number ?? text, number === undefined ? (where ?? text) : where);
    });
  }

  /** Which grid is shown. */
  show(grid: string): void {
    for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-grid]"))
      button.setAttribute("aria-pressed", String(button.dataset["grid"] === grid));
  }

  /** Whether there is a region, or something found, to be cleared; the pointer moves the map again. */
  drawn(something: boolean): void {
    this.clear.disabled = !something;
    this.corner = null;
    this.draw(false);
  }

  /** Hears the keys of a frame. */
  listen(frame: Frame): void {
    const { viewer } = frame;
    const steps: Record<string, () => void> = {
      ArrowLeft: () => viewer.move(-0.15, 0),
      ArrowRight: () => viewer.move(0.15, 0),
      ArrowUp: () => viewer.move(0, -0.15),
      ArrowDown: () => viewer.move(0, 0.15),
      "+": () => viewer.zoom(1.5),
      "=": () => viewer.zoom(1.5),
      "-": () => viewer.zoom(1 / 1.5),
      "0": () => viewer.home(false),
      Home: () => viewer.home(false),
      Enter: () => this.actions.enter(),
      m: () => this.actions.middle(),
      c: () => this.setCorner(frame),
      Escape: () => this.none(),
    };
    viewer.osd.canvas.addEventListener("keydown", (event) => {
      const step = event.ctrlKey || event.metaKey || event.altKey ? undefined : steps[event.key];
      if (!step) return;
      event.preventDefault();
      this.actions.moving(frame);
      step();
    });
  }

  private draw(on: boolean): void {
    this.lasso.setAttribute("aria-pressed", String(on));
    this.actions.draw(on);
  }

  private none(): void {
    this.actions.region("");
  }

  /** The first corner of a rectangle, at the middle of what is seen; then the second. */
  private setCorner(frame: Frame): void {
    const { x, y } = frame.viewer.look();
    if (this.corner) {
      this.actions.region(rectangle(this.corner, { x, y }));
      return;
    }
    this.corner = { x, y };
    frame.tell("One corner is set here. Pan, and press C again for the other.");
  }
}

/** The filter that keeps the images of a class, where a text is the name of one. */
function className(text: string): string | null {
  const options = [...document.querySelectorAll<HTMLOptionElement>("#atlas-classes option")];
  const found =
    options.find((one) => one.value === text) ??
    options.find((one) => one.value.toLowerCase() === text.toLowerCase());
  return found?.dataset["where"] ?? null;
}
