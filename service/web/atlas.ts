/** The page of a map, of images, units or samples: one or two in their frames, what is painted, found and chosen, and the address of the view. */

import { words } from "./api";
import type { Cell, Spot } from "./cells";
import { Controls } from "./controls";
import { Facts } from "./facts";
import { Laid, nothingFound } from "./laid";
import { Lasso, middle } from "./lasso";
import { counterpart, drawnIn, shared } from "./linked";
import { element, fact, tell } from "./page";
import { type Listener, Pane, type PaneFacts } from "./pane";
import { hash, parse, type Region, type View } from "./place";
import { RegionPanel } from "./region";

/** Cells side by side around an image that was searched for, at most. */
const AROUND = 12;

class AtlasPage implements Listener {
  private readonly holder = element("atlas");
  private readonly facts = new Facts();
  private readonly panel = new RegionPanel();
  private readonly panes: Pane[];
  private readonly lassos: Lasso[];
  private readonly controls: Controls;
  private readonly laid: Laid;
  private active: Pane;
  private region: Region | null = null;
  private searched: { image: string; cell: Cell | null } | null = null;
  private pointedAt = false;

  constructor() {
    const told = JSON.parse(fact(this.holder, "panes")) as PaneFacts[];
    const usual = fact(this.holder, "grid");
    this.panes = told.map((one, number) => {
      const after = number ? `-${number + 1}` : "";
      return new Pane(one, number, element(`atlas-viewer${after}`), element(`atlas-problem${after}`), this, usual);
    });
    this.active = this.first;
    this.laid = new Laid(
      this.panes,
      this.facts,
      () => this.active,
      (another) => this.remember(another),
    );
    this.lassos = this.panes.map(
      (pane) => new Lasso(pane.viewer, (corners) => this.choose({ corners, pane: pane.number })),
    );
    this.controls = new Controls({
      pane: () => this.active,
      home: () => this.panes.forEach((pane) => pane.viewer.home(false)),
      grid: (grid) => void this.change(grid),
      search: (text, where) => void this.search(text, where),
      draw: (on) => this.lassos.forEach((lasso) => lasso.turn(on)),
      region: (corners) => this.choose(corners ? { corners, pane: this.active.number } : null),
      middle: () => this.choose({ corners: middle(this.active.viewer), pane: this.active.number }),
      enter: () => this.visit(this.active.chosen, false),
      moving: (pane) => this.use(pane),
    });
    for (const pane of this.panes) this.controls.listen(pane);
    addEventListener("hashchange", () => this.follow());
    this.open(this.asked());
  }

  /** The keys move this frame: what is chosen follows its middle. */
  private use(pane: Pane): void {
    this.active = pane;
    this.pointedAt = false;
  }

  private get first(): Pane {
    const [first] = this.panes;
    if (!first) throw new Error("the page names no atlas");
    return first;
  }

  /** What the address asks for; the frame tells what of it cannot be. */
  private asked(): View {
    const usual = this.panes[0]?.grid ?? fact(this.holder, "grid");
    const view = parse(location.hash, this.first.whole(usual), this.first.facts.grids);
    this.first.tell(view.problems.join(" "));
    return view;
  }

  private open(view: View): void {
    this.controls.show(view.grid);
    let left = this.panes.length;
    for (const pane of this.panes) {
      const place = pane.number ? { ...pane.whole(view.grid), ...view.beside } : view;
      pane.open({ ...place, grid: view.grid }, () => {
        if (--left === 0) this.opened(view);
      });
    }
  }

  private opened(view: View): void {
    this.dress(view);
    this.holder.dataset["ready"] = "";
    const searched = fact(this.holder, "item");
    if (searched !== "" && location.hash === "") void this.fly(searched, true);
    else void this.chooseMiddle(this.first);
  }

  /** Everything of a view that lies over the tiles. */
  private dress(view: View): void {
    this.laid.dress(view);
    this.region = view.region && this.panes[view.region.pane] ? view.region : null;
    this.showRegion();
  }

  /** Another address in the same page: a link, or back. */
  private follow(): void {
    const view = this.asked();
    if (view.grid !== this.first.grid) {
      this.open(view);
      return;
    }
    this.first.show(view, false);
    if (view.beside) this.panes[1]?.show(view.beside, false);
    this.dress(view);
  }

  /** The other grid, around the image that is chosen; its whole where none is. A region belongs to its grid. */
  private async change(grid: string): Promise<void> {
    const pane = this.first;
    if (grid === pane.grid) return;
    const { across } = pane.viewer.look();
    const image = this.sought() ?? pane.chosen?.item ?? null;
    let place = pane.whole(grid);
    if (image !== null && across < pane.columns * 0.9) {
      const found = await pane.attempt(() => pane.where(String(image), grid));
      if (found) place = { grid, x: found.x, y: found.y, across: shared(pane, grid, across) };
    }
    const view = { ...this.view(), ...place, beside: null, region: null };
    history.pushState(null, "", hash(view));
    this.open(view);
  }

  /** The image that was searched for, where it is still what is looked at. */
  private sought(): string | undefined {
    return this.searched && this.searched.cell === this.first.chosen ? this.searched.image : undefined;
  }

  private async search(item: string, where: string | null): Promise<void> {
    for (const pane of this.panes) pane.tell("");
    this.first.reveal();
    await (where === null ? this.fly(item, false) : this.fit(where));
  }

  /** Flies to an item. */
  private async fly(image: string, immediately: boolean): Promise<void> {
    const pane = this.first;
    const place = await pane.attempt(() => pane.where(image));
    if (!place) return;
    this.pointedAt = false;
    const across = Math.min(pane.viewer.look().across, pane.around(place, AROUND));
    pane.viewer.lookAt(place.x, place.y, across, immediately);
    this.searched = { image, cell: await this.look(pane, place) };
    this.remember(true);
    const { one } = pane.facts;
    if (place.shown !== Number(image)) pane.tell(`${capital(one)} ${image} lies in the cell that shows ${one} ${place.shown}.`);
  }

  /** Marks the images that a filter keeps, and shows where they are. */
  private async fit(where: string): Promise<void> {
    const pane = this.first;
    const found = await this.laid.extent(where);
    if (!found) return;
    this.laid.mark(found.items ? where : "");
    this.controls.drawn(this.region !== null || this.laid.find !== "");
    if (found.box) pane.viewer.fit(...found.box);
    const { one } = pane.facts;
    const many = found.items === 1 ? `1 ${one} is` : `${found.items.toLocaleString("en")} ${one}s are`;
    pane.tell(
      found.items
        ? `${many} marked where ${where}; most of them lie in what is shown.`
        : nothingFound(one, where),
    );
    this.remember(true);
  }

  private choose(region: Region | null): void {
    this.region = region;
    for (const pane of this.panes) pane.tell("");
    if (!region) this.laid.mark("");
    this.showRegion();
    this.remember(true);
  }

  /** The region's outline where it was drawn, and its images marked in the other frame. */
  private showRegion(): void {
    const { region } = this;
    const source = this.panes[region?.pane ?? 0] ?? this.first;
    this.controls.drawn(region !== null || this.laid.find !== "");
    for (const pane of this.panes) {
      pane.outline(region && pane === source ? region.corners : "");
      const linked = region !== null && pane !== source;
      pane.lay("linked", linked ? drawnIn(source, region.corners) : {});
    }
    void this.panel.show(source, region?.corners ?? "");
  }

  moved(pane: Pane): void {
    if (pane.chosen || this.pointedAt || location.hash !== "") this.remember();
    if (!this.pointedAt && pane === this.active) void this.chooseMiddle(pane);
  }

  pointed(pane: Pane, spot: Spot | null): void {
    this.pointedAt = true;
    this.active = pane;
    void this.look(pane, spot);
  }

  async clicked(pane: Pane, spot: Spot | null, event: PointerEvent): Promise<void> {
    this.active = pane;
    const before = pane.chosen;
    const found = await this.look(pane, spot);
    const again = before?.item === found?.item;
    if (event.pointerType !== "touch" || again) this.visit(found, event.ctrlKey || event.metaKey);
  }

  private visit(cell: Cell | null, aside: boolean): void {
    if (!cell?.link) return;
    if (aside) open(cell.link, "_blank", "noopener");
    else location.assign(cell.link);
  }

  /** What is in the middle of what is seen, or nearest to it. */
  private chooseMiddle(pane: Pane): Promise<Cell | null> {
    return this.look(pane, pane.viewer.middle(), true);
  }

  /** Outlines a cell, tells what it shows, and outlines the same image in the other frame. */
  private async look(pane: Pane, spot: Spot | null, nearest = false): Promise<Cell | null> {
    try {
      const cell = await pane.choose(spot, nearest);
      if (!cell) return null;
      this.facts.show(cell, pane.sees(cell));
      void this.laid.tell(pane, cell);
      for (const other of this.panes) if (other !== pane) void this.link(pane, other, cell);
      return cell;
    } catch (error) {
      this.facts.clear();
      pane.tell(words(error));
      return null;
    }
  }

  private async link(from: Pane, to: Pane, cell: Cell): Promise<void> {
    const image = cell.item;
    const id = image === null ? null : await from.attempt(() => counterpart(from, to, image));
    const place = id === null || id === undefined ? undefined : await to.where(String(id)).catch(() => undefined);
    if (from.chosen !== cell) return;
    if (place) to.outlineImage(place);
    else to.viewer.choose(null);
  }

  private view(): View {
    const { region, first } = this;
    const { paint, strength, find } = this.laid;
    const beside = this.panes[1]?.viewer.look() ?? null;
    return { grid: first.grid, ...first.viewer.look(), beside, paint, strength, find, region, problems: [] };
  }

  /** Writes the view into the address. step: one that the browser's back button undoes. */
  private remember(step = false): void {
    if (step) history.pushState(null, "", hash(this.view()));
    else history.replaceState(null, "", hash(this.view()));
  }
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

try {
  new AtlasPage();
} catch (error) {
  tell(element("atlas-problem"), `The atlas cannot be shown: ${words(error)}`);
}
