/** One atlas in its frame: what is looked at and chosen there, and what is laid over it. */

import { ask, picture, words } from "../api";
import type { Cluster } from "./annotations";
import { type Cell, CellCache, type Spot } from "./cell_cache";
import { corners } from "./lasso";
import { tell } from "../dom";
import type { Look, Coloring, Place } from "./view_state";
import { type Grid, type Slot, Viewer } from "./viewer";

/** What the page says of a map. one: the word for its items. api: of the map; images: of the store's images. */
export interface FrameFacts {
  store: string;
  atlas: string;
  one: string;
  api: string;
  images: string;
  pages: string;
  page: string;
  version: string;
  grids: Record<string, Grid>;
}

/** Where an item is. shown: the one that is seen there. level: the first that shows it. */
export interface Where extends Spot {
  grid: string;
  shown: number;
  level: number;
}

/** Hears what a person does in a frame. */
export interface Listener {
  moved(frame: Frame): void;
  pointed(frame: Frame, spot: Spot | null): void;
  clicked(frame: Frame, spot: Spot | null, event: PointerEvent): void;
}

const MARKED = 0.55;

export class Frame {
  readonly viewer: Viewer;
  readonly cells: CellCache;
  chosen: Cell | null = null;
  grid: string;

  constructor(
    readonly facts: FrameFacts,
    readonly number: number,
    holder: HTMLElement,
    private readonly alert: HTMLElement,
    listener: Listener,
    grid: string,
  ) {
    this.grid = grid;
    this.cells = new CellCache(facts.page, facts.version);
    this.viewer = new Viewer(holder, this.of(grid));
    this.listen(listener);
  }

  /** Shows a grid, at a place; `then` runs once it can be looked at. */
  open(place: Place, then: () => void): void {
    this.grid = place.grid;
    this.chosen = null;
    this.viewer.open(this.of(place.grid), () => {
      this.show(place, true);
      void this.name();
      then();
    });
  }

  /** The whole of a grid. */
  whole(grid: string): Place {
    const { rows, columns } = this.of(grid);
    return { grid, x: columns / 2, y: rows / 2, across: 0 };
  }

  /** How many cells the grid has from left to right. */
  get columns(): number {
    return this.of(this.grid).columns;
  }

  show(look: Look, immediately: boolean): void {
    if (look.across > 0) this.viewer.lookAt(look.x, look.y, look.across, immediately);
    else this.viewer.home(immediately);
  }

  /** Outlines what is shown at a spot, or nearest to it, and gives it; null where another one was chosen meanwhile. */
  async choose(spot: Spot | null, nearest = false): Promise<Cell | null> {
    const scattered = this.grid === "scatter";
    if (!spot || !(scattered || nearest)) this.viewer.choose(spot && middleOf(spot));
    if (!spot) {
      this.chosen = null;
      return null;
    }
    const asked = scattered ? { ...spot, level: this.viewer.level } : spot;
    const cell = await this.cells.get(this.grid, asked, nearest);
    if (!cell) return null;
    this.chosen = cell;
    this.viewer.choose(scattered && cell.item === null ? null : cell, cell.side);
    return cell;
  }

  /** Outlines where an image is. */
  outlineImage(place: Where): void {
    if (this.grid === "scatter") this.viewer.choose(place, this.viewer.side(Math.max(place.level, this.viewer.level)));
    else this.viewer.choose(middleOf(place));
  }

  /** The cells across at which an image can be seen with others around it; at most `most`. */
  around(place: Where, most: number): number {
    if (this.grid === "scatter") return this.viewer.across(place.level);
    return Math.min(most, Math.max(3, this.columns / 2));
  }

  /** Where an item is, in one of the grids. Throws ProblemError. */
  async where(item: string, grid = this.grid): Promise<Where | undefined> {
    const found = await this.ask<{ cells: Where[] }>("where", { item });
    return found.cells.find((one) => one.grid === grid);
  }

  /** An answer about this atlas. Throws ProblemError. */
  ask<T>(what: string, query: Record<string, string>, signal?: AbortSignal): Promise<T> {
    return ask<T>(`${this.facts.api}/${what}?${this.query(query)}`, signal);
  }

  query(more: Record<string, string>): string {
    return new URLSearchParams({ ...more, v: this.facts.version }).toString();
  }

  /** Whether some of what is drawn around a place is in the frame. */
  sees({ x, y, side }: { x: number; y: number; side: number }): boolean {
    const seen = this.viewer.look();
    const gap = (middle: number, place: number, across: number): boolean =>
      Math.abs(middle - place) <= (across + side) / 2;
    return gap(seen.x, x, seen.across) && gap(seen.y, y, seen.down);
  }

  /** Lays an overlay over the atlas; none without coloring. */
  lay(slot: Slot, coloring: Coloring, strength = MARKED): void {
    const tiles = `${this.facts.api}/overlays/${this.grid}/{level}/{column}_{row}.png`;
    this.viewer.lay(slot, "by" in coloring ? `${tiles}?${this.query(coloring)}` : null, strength);
  }

  /** Outlines a region that was drawn here; none with an empty text. */
  outline(region: string): void {
    this.viewer.above.outline(region ? corners(region) : []);
  }

  tell(text: string): void {
    tell(this.alert, text);
  }

  /** Scrolls the page so far that the frame is seen. */
  reveal(): void {
    this.alert.parentElement?.scrollIntoView({ block: "nearest" });
  }

  /** Runs, and tells what went wrong in the frame. */
  async attempt<T>(question: () => Promise<T>): Promise<T | null> {
    try {
      return await question();
    } catch (error) {
      this.tell(words(error));
      return null;
    }
  }

  private of(grid: string): Grid {
    const found = this.facts.grids[grid];
    if (!found) throw new Error(`the atlas ${this.facts.atlas} has no grid ${grid}`);
    return found;
  }

  private async name(): Promise<void> {
    const grid = this.grid;
    const found = await this.attempt(() => this.ask<{ clusters: Cluster[] }>("clusters", { grid }));
    if (found && grid === this.grid) this.viewer.above.tell(found.clusters);
  }

  private listen(listener: Listener): void {
    const { osd } = this.viewer;
    osd.addHandler("animation-finish", () => listener.moved(this));
    osd.addHandler("tile-load-failed", (event) => void this.failed(event.tile.getUrl()));
    osd.addHandler("open-failed", (event) => this.tell(`The atlas cannot be shown: ${event.message}`));
    osd.addHandler("canvas-click", (event) => {
      if (event.quick)
        listener.clicked(this, this.viewer.spotAt(event.position), event.originalEvent as PointerEvent);
    });
    osd.canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch" || event.buttons) return;
      const frame = osd.canvas.getBoundingClientRect();
      listener.pointed(this, this.viewer.spotAt({ x: event.clientX - frame.left, y: event.clientY - frame.top }));
    });
    osd.canvas.setAttribute("role", "application");
    osd.canvas.setAttribute("aria-label", `Atlas ${this.facts.atlas}`);
    osd.canvas.setAttribute("aria-describedby", "atlas-keys");
  }

  /** Says why a tile could not be had. */
  private async failed(address: string): Promise<void> {
    if (!this.alert.hidden) return;
    try {
      await picture(address);
    } catch (error) {
      this.tell(words(error));
    }
  }
}

function middleOf(spot: Spot): { x: number; y: number } {
  return { x: spot.column + 0.5, y: spot.row + 0.5 };
}
