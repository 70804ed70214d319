/** What lies above the tiles and moves with them: the names of clusters, a region, and where a region is being drawn. */

import OpenSeadragon from "openseadragon";

export interface Point {
  x: number;
  y: number;
}

/** A cluster with a name, as the service says it. scale: 0 for those of the coarsest cut. */
export interface Cluster {
  name: string;
  items: number;
  scale: number;
  x: number;
  y: number;
}

/** The map is this many times wider than the frame where the names of each scale give way to the next one's. */
const UNTIL = [2, 4.5, 10];

/** Drawn again whenever the view moves. Places are in cells of the grid. */
export class Annotations {
  private readonly layer = document.createElement("div");
  private readonly shape: Element;
  private names: { cluster: Cluster; element: HTMLElement; width: number }[] = [];
  private corners: readonly Point[] = [];
  private columns = 1;

  constructor(private readonly osd: OpenSeadragon.Viewer) {
    this.layer.className = "above";
    this.layer.innerHTML = '<svg aria-hidden="true"><polygon></polygon></svg>';
    this.shape = this.layer.querySelector("polygon") ?? this.layer;
    osd.container.append(this.layer);
    for (const event of ["update-viewport", "open", "resize"] as const) osd.addHandler(event, () => this.draw());
  }

  /** For a grid of so many columns: nothing is left of another. */
  reset(columns: number): void {
    this.columns = columns;
    this.corners = [];
    this.tell([]);
  }

  /** Shows these names, as many as there is room for. */
  tell(clusters: readonly Cluster[]): void {
    for (const one of this.names) one.element.remove();
    this.names = clusters.map((cluster) => {
      const element = document.createElement("span");
      element.className = "cluster";
      element.textContent = cluster.name;
      element.title = `${cluster.items.toLocaleString("en")} lie here`;
      this.layer.append(element);
      return { cluster, element, width: element.offsetWidth };
    });
    this.draw();
  }

  /** Outlines a polygon; none with no corners. */
  outline(corners: readonly Point[]): void {
    this.corners = corners;
    this.draw();
  }

  private draw(): void {
    if (!this.osd.isOpen()) return;
    const pixels = this.corners.map((corner) => this.pixel(corner));
    this.shape.setAttribute("points", pixels.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "));
    const zoom = 1 / this.osd.viewport.getBounds(true).width;
    const scale = UNTIL.findIndex((until) => zoom < until);
    const taken: { x: number; y: number; half: number }[] = [];
    for (const { cluster, element, width } of this.names) {
      const half = width / 2 + 4;
      const at = this.inside(this.pixel(cluster), half);
      const free = taken.every((one) => Math.abs(one.y - at.y) > 26 || Math.abs(one.x - at.x) > one.half + half);
      element.hidden = cluster.scale !== scale || !free;
      if (element.hidden) continue;
      taken.push({ ...at, half });
      element.style.transform = `translate(${at.x.toFixed(1)}px, ${at.y.toFixed(1)}px) translate(-50%, -50%)`;
    }
  }

  /** Where a name is read whole whose middle is in the frame but near a side of it. */
  private inside({ x, y }: Point, half: number): Point {
    const across = this.osd.container.clientWidth;
    return { x: x < 0 || x > across ? x : Math.max(half, Math.min(across - half, x)), y };
  }

  private pixel(place: Point): Point {
    const point = new OpenSeadragon.Point(place.x / this.columns, place.y / this.columns);
    return this.osd.viewport.pixelFromPoint(point, true);
  }
}
