/** The atlas page: the viewer, its keys, the panel of facts, the search for an image, and the address of the view. */

import { ask, problem, words } from "./api";
import { type Cell, Cells } from "./cells";
import { Facts } from "./facts";
import { element, fact, tell } from "./page";
import { hash, parse, type Place } from "./place";
import { type Grid, Viewer } from "./viewer";

interface Where {
  cells: { grid: string; row: number; column: number; shown: number }[];
}

/** Cells side by side around an image that was searched for, at most. */
const AROUND = 12;

class AtlasPage {
  private readonly holder = element("atlas");
  private readonly alert = element("atlas-problem");
  private readonly api = fact(this.holder, "api");
  private readonly version = fact(this.holder, "version");
  private readonly grids = JSON.parse(fact(this.holder, "grids")) as Record<string, Grid>;
  private readonly cells = new Cells(this.api, this.version);
  private readonly facts = new Facts(fact(this.holder, "pages"));
  private readonly viewer: Viewer;
  private name: string;
  private chosen: Cell | null = null;
  /** The image that was searched for, while its cell is the chosen one. */
  private searched: { image: string; row: number; column: number } | null = null;
  private pointed = false;

  constructor() {
    const place = parse(location.hash, this.start(fact(this.holder, "grid")), Object.keys(this.grids));
    this.name = place.grid;
    this.viewer = new Viewer(element("atlas-viewer"), this.grid(place.grid));
    this.listen();
    this.keys();
    this.controls();
    this.open(place);
  }

  private grid(name: string): Grid {
    const found = this.grids[name];
    if (!found) throw new Error(`no grid ${name}`);
    return found;
  }

  /** The whole of a grid. */
  private start(name: string): Place {
    const { rows, columns } = this.grid(name);
    return { grid: name, x: columns / 2, y: rows / 2, across: 0 };
  }

  private open(place: Place): void {
    this.name = place.grid;
    this.chosen = null;
    for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-grid]"))
      button.setAttribute("aria-pressed", String(button.dataset["grid"] === place.grid));
    this.viewer.open(this.grid(place.grid), () => {
      this.show(place, true);
      this.holder.dataset["ready"] = "";
      const searched = fact(this.holder, "image");
      if (searched !== "" && location.hash === "") void this.fly(searched, true);
      else void this.chooseMiddle();
    });
  }

  private show(place: Place, immediately: boolean): void {
    if (place.across > 0) this.viewer.lookAt(place.x, place.y, place.across, immediately);
    else this.viewer.home(immediately);
  }

  private listen(): void {
    const { osd } = this.viewer;
    osd.addHandler("animation-finish", () => {
      if (this.chosen || this.pointed || location.hash !== "") this.remember();
      if (!this.pointed) void this.chooseMiddle();
    });
    osd.addHandler("tile-load-failed", (event) => void this.failed(event.tile.getUrl()));
    osd.addHandler("open-failed", (event) => tell(this.alert, `The atlas cannot be shown: ${event.message}`));
    osd.addHandler("canvas-click", (event) => {
      if (event.quick) void this.click(event.position, event.originalEvent as PointerEvent);
    });
    osd.canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch" || event.buttons) return;
      this.pointed = true;
      const frame = osd.canvas.getBoundingClientRect();
      void this.choose(this.viewer.cellAt({ x: event.clientX - frame.left, y: event.clientY - frame.top }));
    });
    osd.canvas.addEventListener("pointerleave", () => (this.pointed = false));
    addEventListener("hashchange", () => {
      const place = parse(location.hash, this.start(this.name), Object.keys(this.grids));
      if (place.grid === this.name) this.show(place, false);
      else this.open(place);
    });
  }

  private keys(): void {
    const { canvas } = this.viewer.osd;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", "Atlas");
    canvas.setAttribute("aria-describedby", "atlas-keys");
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
      Enter: () => this.visit(this.chosen, false),
    };
    canvas.addEventListener("keydown", (event) => {
      const step = event.ctrlKey || event.metaKey || event.altKey ? undefined : steps[event.key];
      if (!step) return;
      event.preventDefault();
      this.pointed = false;
      step();
    });
  }

  private controls(): void {
    element("atlas-in").addEventListener("click", () => this.viewer.zoom(1.5));
    element("atlas-out").addEventListener("click", () => this.viewer.zoom(1 / 1.5));
    element("atlas-whole").addEventListener("click", () => this.viewer.home(false));
    for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-grid]"))
      button.addEventListener("click", () => void this.change(button.dataset["grid"] ?? this.name));
    const form = element<HTMLFormElement>("atlas-search");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.fly(String(new FormData(form).get("image") ?? ""), false);
    });
  }

  /** The other grid, around the image that is chosen; its whole where none is. */
  private async change(name: string): Promise<void> {
    if (name === this.name) return;
    const image = this.sought() ?? this.chosen?.image?.image_id;
    const across = this.viewer.look().across;
    const whole = across >= this.grid(this.name).columns * 0.9;
    let place = this.start(name);
    if (image !== undefined && !whole) {
      const cell = await this.where(String(image), name);
      if (cell) {
        place = { grid: name, x: cell.column + 0.5, y: cell.row + 0.5, across };
        this.searched = { image: String(image), row: cell.row, column: cell.column };
      }
    }
    history.replaceState(null, "", place.across > 0 ? hash(place) : `#grid=${name}`);
    this.open(place);
  }

  /** The image that was searched for, where it is still what is looked at. */
  private sought(): string | undefined {
    const { searched, chosen } = this;
    return searched && searched.row === chosen?.row && searched.column === chosen.column ? searched.image : undefined;
  }

  /** Flies to an image. */
  private async fly(image: string, immediately: boolean): Promise<void> {
    const cell = await this.where(image, this.name);
    if (!cell) return;
    this.pointed = false;
    const across = Math.min(AROUND, this.viewer.look().across, Math.max(3, this.grid(this.name).columns / 2));
    this.viewer.lookAt(cell.column + 0.5, cell.row + 0.5, across, immediately);
    this.searched = { image: image.trim(), row: cell.row, column: cell.column };
    await this.choose(cell);
    this.remember();
    if (String(cell.shown) !== image.trim())
      tell(this.alert, `Image ${image.trim()} lies in the cell that shows image ${cell.shown}, which is nearer its centre.`);
  }

  /** The cell that an image lies in; tells why where there is none. */
  private async where(image: string, grid: string): Promise<Where["cells"][number] | undefined> {
    tell(this.alert, "");
    try {
      const query = new URLSearchParams({ image, v: this.version });
      const found = await ask<Where>(`${this.api}/where?${query}`);
      return found.cells.find((one) => one.grid === grid);
    } catch (error) {
      tell(this.alert, words(error));
      return undefined;
    }
  }

  private async click(position: { x: number; y: number }, event: PointerEvent): Promise<void> {
    const cell = this.viewer.cellAt(position);
    const before = this.chosen;
    const found = await this.choose(cell);
    const again = before?.row === found?.row && before?.column === found?.column;
    if (event.pointerType !== "touch" || again) this.visit(found, event.ctrlKey || event.metaKey);
  }

  private visit(cell: Cell | null, aside: boolean): void {
    if (!cell?.image) return;
    const page = this.facts.page(cell.image.image_id);
    if (aside) open(page, "_blank", "noopener");
    else location.assign(page);
  }

  private chooseMiddle(): Promise<Cell | null> {
    return this.choose(this.viewer.middle());
  }

  /** Outlines a cell and tells of its image. */
  private async choose(place: { column: number; row: number } | null): Promise<Cell | null> {
    this.viewer.choose(place);
    if (!place) {
      this.chosen = null;
      return null;
    }
    try {
      const cell = await this.cells.get(this.name, place.column, place.row);
      if (cell) {
        this.chosen = cell;
        this.facts.show(cell);
      }
      return cell;
    } catch (error) {
      this.facts.clear("");
      tell(this.alert, words(error));
      return null;
    }
  }

  private remember(): void {
    history.replaceState(null, "", hash({ grid: this.name, ...this.viewer.look() }));
  }

  /** Says why a tile could not be had. */
  private async failed(address: string): Promise<void> {
    if (!this.alert.hidden) return;
    try {
      const response = await fetch(address);
      tell(this.alert, response.ok ? "" : (await problem(response)).message);
    } catch {
      tell(this.alert, "The service does not answer; is it still running?");
    }
  }
}

try {
  new AtlasPage();
} catch (error) {
  tell(element("atlas-problem"), `The atlas cannot be shown: ${words(error)}`);
}
