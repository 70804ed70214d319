/** OpenSeadragon over an atlas's tiles, in cells instead of its own units. */

import OpenSeadragon from "openseadragon";

import { Annotations, type Point } from "./annotations";
import type { Spot } from "./cell_cache";
import type { Look } from "./view_state";

/** One grid as the page's data say it. address: of a tile, with {level}, {column} and {row}. */
export interface Grid {
  rows: number;
  columns: number;
  cell: number;
  tile: number;
  width: number;
  height: number;
  levels: number;
  address: string;
}

/** A cell is enlarged to at most this many pixels. */
const LARGEST = 384;
/** Smaller cells are enlarged pixel by pixel, as small images are everywhere on the pages. */
const CRISP = 64;

/** Options that hold for every atlas: no scripts, pictures or styles of its own, and keys are ours. */
function options(element: HTMLElement, cell: number): OpenSeadragon.Options {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const gestures = { clickToZoom: false, dblClickToZoom: true, pinchRotate: false, flickEnabled: !still };
  return {
    element,
    drawer: "canvas",
    showNavigationControl: false,
    keyboardNavEnabled: false,
    animationTime: still ? 0 : 0.6,
    visibilityRatio: 0.4,
    minZoomImageRatio: 0.7,
    maxZoomPixelRatio: LARGEST / cell,
    zoomPerScroll: 1.3,
    gestureSettingsMouse: gestures,
    gestureSettingsTouch: gestures,
    gestureSettingsPen: gestures,
    tileRetryMax: 1,
    imageLoaderLimit: 6,
    timeout: 30_000,
  };
}

/**
 * OpenSeadragon adds a style element for touch screens unless it finds its own, which the policy of the pages forbids;
 * the rule is in style.css. What it finds here is called so, but is none: it is in no namespace.
 */
function keepStylesOut(): void {
  const style = document.createElementNS(null, "style");
  style.setAttribute("data-openseadragon-mobile-css", "true");
  document.head.append(style);
}

/** What lies over the tiles: what the atlas is colored by, what is chosen in the other frame, what was searched for. */
export type Slot = "paint" | "linked" | "found";

interface Overlay {
  address: string;
  strength: number;
  item?: OpenSeadragon.TiledImage;
}

/** One grid at a time, looked at. */
export class Viewer {
  readonly osd: OpenSeadragon.Viewer;
  readonly above: Annotations;
  private readonly overlays = new Map<Slot, Overlay>();
  private outline = document.createElement("div");
  private outlined = false;
  private crisp = false;

  constructor(
    element: HTMLElement,
    private grid: Grid,
  ) {
    keepStylesOut();
    this.osd = new OpenSeadragon.Viewer(options(element, grid.cell));
    this.above = new Annotations(this.osd);
    this.outline.className = "chosen";
    this.osd.addHandler("update-viewport", () => this.sharpen());
  }

  /** Shows a grid; `then` runs once it can be looked at. */
  open(grid: Grid, then: () => void): void {
    this.grid = grid;
    this.outlined = false;
    this.overlays.clear();
    this.above.reset(grid.columns);
    this.osd.addOnceHandler("open", then);
    this.osd.open({ tileSource: this.source(grid.address) });
  }

  /** Lays tiles over those of the grid, in place of what was there in this slot; none with null. */
  lay(slot: Slot, address: string | null, strength: number): void {
    const before = this.overlays.get(slot);
    if (before?.address === address) {
      this.strengthen(slot, strength);
      return;
    }
    if (before?.item) this.osd.world.removeItem(before.item);
    this.overlays.delete(slot);
    if (address === null) return;
    const overlay: Overlay = { address, strength };
    this.overlays.set(slot, overlay);
    this.osd.addTiledImage({
      tileSource: this.source(address),
      opacity: strength,
      success: (event) => this.laid(slot, overlay, (event as unknown as { item: OpenSeadragon.TiledImage }).item),
    });
  }

  /** How strongly what lies in a slot is seen. */
  strengthen(slot: Slot, strength: number): void {
    const overlay = this.overlays.get(slot);
    if (!overlay) return;
    overlay.strength = strength;
    overlay.item?.setOpacity(strength);
  }

  private laid(slot: Slot, overlay: Overlay, item: OpenSeadragon.TiledImage): void {
    if (this.overlays.get(slot) !== overlay) {
      this.osd.world.removeItem(item);
      return;
    }
    overlay.item = item;
    item.setOpacity(overlay.strength);
  }

  private source(address: string): object {
    const { width, height, tile, levels } = this.grid;
    return {
      width,
      height,
      tileSize: tile,
      tileOverlap: 0,
      minLevel: 0,
      maxLevel: levels - 1,
      getTileUrl: (level: number, column: number, row: number) =>
        address
          .replace("{level}", String(level))
          .replace("{column}", String(column))
          .replace("{row}", String(row)),
    };
  }

  /** The middle, and the cells across and down, now or, where it is moving, at its end. */
  look(): Look & { down: number } {
    const bounds = this.osd.viewport.getBounds(false);
    const middle = bounds.getCenter();
    return {
      x: middle.x * this.grid.columns,
      y: middle.y * this.grid.columns,
      across: bounds.width * this.grid.columns,
      down: bounds.height * this.grid.columns,
    };
  }

  /** Looks at x, y with `across` cells side by side, fewer cells where the whole would not fill the frame. */
  lookAt(x: number, y: number, across: number, immediately: boolean): void {
    const viewport = this.osd.viewport;
    const width = across / this.grid.columns;
    const height = width / viewport.getAspectRatio();
    const [left, top] = [x / this.grid.columns - width / 2, y / this.grid.columns - height / 2];
    viewport.fitBounds(new OpenSeadragon.Rect(left, top, width, height), immediately);
    viewport.applyConstraints(immediately);
  }

  /** The whole grid. */
  home(immediately: boolean): void {
    this.osd.viewport.goHome(immediately);
  }

  /** Moves by shares of what is seen. */
  move(right: number, down: number): void {
    const bounds = this.osd.viewport.getBounds(false);
    this.osd.viewport.panBy(new OpenSeadragon.Point(right * bounds.width, down * bounds.height));
    this.osd.viewport.applyConstraints();
  }

  /** Zooms by a factor around the middle. */
  zoom(factor: number): void {
    this.osd.viewport.zoomBy(factor);
    this.osd.viewport.applyConstraints();
  }

  /** Shows a whole box of cells. */
  fit(x0: number, y0: number, x1: number, y1: number): void {
    const across = Math.max(x1 - x0, (y1 - y0) * this.osd.viewport.getAspectRatio(), 3);
    this.lookAt((x0 + x1) / 2, (y0 + y1) / 2, across * 1.15, false);
  }

  /** A point of the frame, in pixels, as a place in cells. */
  placeAt(pixel: Point): Point {
    const point = this.osd.viewport.pointFromPixel(new OpenSeadragon.Point(pixel.x, pixel.y), true);
    return { x: point.x * this.grid.columns, y: point.y * this.grid.columns };
  }

  /** What is under a point of the frame, in pixels; null outside the grid. */
  spotAt(pixel: Point): Spot | null {
    const { x, y } = this.placeAt(pixel);
    return this.inside(x, y);
  }

  /** What is in the middle of what is seen; null outside the grid. */
  middle(): Spot | null {
    const { x, y } = this.look();
    return this.inside(x, y);
  }

  /** The level whose tiles are seen. */
  get level(): number {
    const deepest = this.grid.levels - 1;
    const enlarged = (this.osd.viewport.getZoom(false) * this.osd.viewport.getContainerSize().x) / this.grid.width;
    return Math.max(0, Math.min(deepest, Math.floor(Math.log2(enlarged) + deepest + 1)));
  }

  /** The side of a thumbnail of a level, in cells: in the scatter they are as large in every level. */
  side(level: number): number {
    return 2 ** (this.grid.levels - 1 - level);
  }

  /** How many cells lie side by side where a level is shown in its own size. */
  across(level: number): number {
    return (this.osd.viewport.getContainerSize().x / this.grid.cell) * this.side(level);
  }

  /** Draws a line around a square around x, y; around none with null. */
  choose(place: Point | null, side = 1): void {
    if (!place) {
      this.osd.removeOverlay(this.outline);
      this.outlined = false;
      return;
    }
    const cell = 1 / this.grid.columns;
    const box = new OpenSeadragon.Rect(
      (place.x - side / 2) * cell,
      (place.y - side / 2) * cell,
      side * cell,
      side * cell,
    );
    if (this.outlined) this.osd.updateOverlay(this.outline, box);
    else this.osd.addOverlay({ element: this.outline, location: box });
    this.outlined = true;
  }

  private inside(x: number, y: number): Spot | null {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const within = column >= 0 && row >= 0 && column < this.grid.columns && row < this.grid.rows;
    return within ? { x, y, column, row } : null;
  }

  private sharpen(): void {
    const enlarged = this.osd.viewport.getZoom(true) * this.osd.viewport.getContainerSize().x > this.grid.width;
    const crisp = enlarged && this.grid.cell < CRISP;
    if (crisp === this.crisp) return;
    this.crisp = crisp;
    this.osd.drawer.setImageSmoothingEnabled(!crisp);
    this.osd.forceRedraw();
  }
}
