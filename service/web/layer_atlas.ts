/** The page of a layer's own atlas: the viewer over its tiles, and beside it what lies under the pointer. */

import { ask, problem, words } from "./api";
import { element, fact, short, tell } from "./page";
import { type Place, parse } from "./place";
import type { Spot } from "./cells";
import { type Grid, Viewer } from "./viewer";

/** What the page says of the atlas. api: where the API answers for it; page: where its own pieces are. */
interface Facts {
  api: string;
  page: string;
  version: string;
  grids: Record<string, Grid>;
}

/** Where an item is in one view. level: the first that shows it. */
interface Where extends Spot {
  grid: string;
  level: number;
}

/** Milliseconds that a pointer must rest before anything is asked. */
const REST = 60;
/** Cells side by side around an item that was searched for. */
const AROUND = 8;

class LayerAtlas {
  private readonly holder = element("layer-atlas");
  private readonly panel = element("item-panel");
  private readonly alert = element("item-problem");
  private readonly facts = JSON.parse(fact(this.holder, "pane")) as Facts;
  private readonly viewer: Viewer;
  private grid = fact(this.holder, "grid");
  private pointed: string | null = null;
  private asking: AbortController | undefined;

  constructor() {
    this.viewer = new Viewer(element("item-viewer"), this.of(this.grid));
    this.listen();
    this.open(parse(location.hash, this.whole(this.grid), Object.keys(this.facts.grids)));
  }

  private of(grid: string): Grid {
    const found = this.facts.grids[grid];
    if (!found) throw new Error(`there is no view ${grid}`);
    return found;
  }

  private whole(grid: string): Place {
    const { columns, rows } = this.of(grid);
    return { grid, x: columns / 2, y: rows / 2, across: 0 };
  }

  private open(place: Place): void {
    this.grid = place.grid;
    this.pointed = null;
    this.asking?.abort();
    this.panel.replaceChildren();
    delete this.holder.dataset["ready"];
    for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-grid]"))
      button.setAttribute("aria-pressed", String(button.dataset["grid"] === place.grid));
    this.viewer.open(this.of(place.grid), () => {
      if (this.grid !== place.grid) return; // another view was asked for meanwhile
      this.show(place, true);
      this.holder.dataset["ready"] = "";
      void this.point(this.viewer.middle());
    });
  }

  private show(place: Place, immediately: boolean): void {
    if (place.across > 0) this.viewer.lookAt(place.x, place.y, place.across, immediately);
    else this.viewer.home(immediately);
  }

  /** Outlines a cell, and shows beside the map what lies there. */
  private async point(spot: Spot | null): Promise<void> {
    const scattered = this.grid === "scatter";
    const level = String(scattered ? this.viewer.level : 0);
    const place = spot && (scattered ? spot : { x: spot.column + 0.5, y: spot.row + 0.5 });
    const key = place && `${this.grid} ${level} ${place.x.toFixed(2)} ${place.y.toFixed(2)}`;
    if (key === this.pointed) return;
    this.pointed = key;
    this.asking?.abort();
    if (!place || !scattered) this.viewer.choose(place);
    if (!place) return;
    const asking = (this.asking = new AbortController());
    const query = new URLSearchParams({ grid: this.grid, level, x: String(place.x), y: String(place.y) });
    await new Promise((done) => setTimeout(done, REST));
    if (asking.signal.aborted) return;
    try {
      const response = await fetch(`${this.facts.page}/at?${query}`, { signal: asking.signal });
      if (!response.ok) throw await problem(response);
      const text = await response.text();
      if (asking.signal.aborted) return;
      this.panel.innerHTML = text;
      const item = this.panel.querySelector<HTMLElement>("[data-visit]")?.dataset["visit"];
      if (scattered) this.outline(item === undefined ? undefined : await this.where(item));
    } catch (error) {
      if (!asking.signal.aborted) tell(this.alert, words(error));
    }
  }

  /** Draws a line around what the scatter shows. */
  private outline(where: Where | undefined): void {
    this.viewer.choose(where ?? null, where ? this.viewer.side(Math.max(where.level, this.viewer.level)) : 1);
  }

  /** Where an item is in this view. Throws ProblemError. */
  private async where(item: string): Promise<Where | undefined> {
    const query = new URLSearchParams({ item, v: this.facts.version });
    const found = await ask<{ cells: Where[] }>(`${this.facts.api}/where?${query}`);
    return found.cells.find((one) => one.grid === this.grid);
  }

  /** Opens what is outlined. */
  private visit(apart: boolean): void {
    const link = this.panel.querySelector<HTMLAnchorElement>("a[data-visit]");
    if (!link) return;
    if (apart) window.open(link.href);
    else location.assign(link.href);
  }

  private async search(item: string): Promise<void> {
    tell(this.alert, "");
    try {
      const found = await this.where(item);
      if (!found) return;
      const across = this.grid === "scatter" ? this.viewer.across(found.level) : AROUND;
      this.viewer.lookAt(found.x, found.y, Math.min(across, this.of(this.grid).columns), true);
      await this.point(found);
    } catch (error) {
      tell(this.alert, words(error));
    }
  }

  private remember(): void {
    const { x, y, across } = this.viewer.look();
    const held = new URLSearchParams({ grid: this.grid, x: short(x), y: short(y), across: short(across) });
    history.replaceState(null, "", `#${held}`);
  }

  private listen(): void {
    const { osd } = this.viewer;
    osd.addHandler("animation-finish", () => this.remember());
    osd.addHandler("open-failed", (event) => tell(this.alert, `The map cannot be shown: ${event.message}`));
    osd.addHandler("canvas-click", (event) => {
      if (!event.quick) return;
      const { ctrlKey, metaKey } = event.originalEvent as PointerEvent;
      const spot = this.viewer.spotAt(event.position);
      void this.point(spot).then(() => spot && this.visit(ctrlKey || metaKey));
    });
    osd.canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch" || event.buttons) return;
      const frame = osd.canvas.getBoundingClientRect();
      void this.point(this.viewer.spotAt({ x: event.clientX - frame.left, y: event.clientY - frame.top }));
    });
    osd.canvas.setAttribute("role", "application");
    osd.canvas.setAttribute("aria-label", "The map");
    osd.canvas.setAttribute("aria-describedby", "item-keys");
    osd.canvas.addEventListener("keydown", (event) => this.key(event));
    element("zoom-in").addEventListener("click", () => this.viewer.zoom(1.5));
    element("zoom-out").addEventListener("click", () => this.viewer.zoom(1 / 1.5));
    element("zoom-whole").addEventListener("click", () => this.viewer.home(false));
    for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-grid]"))
      button.addEventListener("click", () => this.open(this.whole(button.dataset["grid"] ?? this.grid)));
    const form = element<HTMLFormElement>("item-search");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.search(String(new FormData(form).get("item") ?? ""));
    });
    addEventListener("hashchange", () => {
      const place = parse(location.hash, this.whole(this.grid), Object.keys(this.facts.grids));
      if (place.grid === this.grid) this.show(place, false);
      else this.open(place);
    });
  }

  private key(event: KeyboardEvent): void {
    const steps: Record<string, () => void> = {
      ArrowLeft: () => this.viewer.move(-0.15, 0),
      ArrowRight: () => this.viewer.move(0.15, 0),
      ArrowUp: () => this.viewer.move(0, -0.15),
      ArrowDown: () => this.viewer.move(0, 0.15),
      "+": () => this.viewer.zoom(1.5),
      "=": () => this.viewer.zoom(1.5),
      "-": () => this.viewer.zoom(1 / 1.5),
      "0": () => this.viewer.home(false),
      Home: () => this.viewer.home(false),
      Enter: () => this.visit(false),
    };
    const step = event.ctrlKey || event.metaKey || event.altKey ? undefined : steps[event.key];
    if (!step) return;
    event.preventDefault();
    step();
    if (event.key !== "Enter") void this.point(this.viewer.middle());
  }
}

new LayerAtlas();
