/** The page of a map, of images, units or samples: one or two in their frames, what is colored, found and chosen, and the address of the view. */

import { words } from "../api";
import type { Cell, Spot } from "./cell_cache";
import { Controls } from "./controls";
import { CellPanel } from "./cell_panel";
import { Overlays, nothingFound } from "./overlays";
import { Lasso, middle } from "./lasso";
import { counterpart, drawnIn, shared } from "./sync";
import { element, fact, tell } from "../dom";
import { type Listener, Frame, type FrameFacts } from "./frame";
import { hash, parse, type Region, type View } from "./view_state";
import { RegionPanel } from "./region_panel";

/** CellCache side by side around an image that was searched for, at most. */
const AROUND = 12;

class AtlasPage implements Listener {
  private readonly holder = element("atlas");
  private readonly facts = new CellPanel();
  private readonly panel = new RegionPanel();
  private readonly frames: Frame[];
  private readonly lassos: Lasso[];
  private readonly controls: Controls;
  private readonly laid: Overlays;
  private active: Frame;
  private region: Region | null = null;
  private searched: { image: string; cell: Cell | null } | null = null;
  private pointedAt = false;

  constructor() {
    const told = JSON.parse(fact(this.holder, "panes")) as FrameFacts[];
    const usual = fact(this.holder, "grid");
    this.frames = told.map((one, number) => {
      const after = number ? `-${number + 1}` : "";
      return new Frame(one, number, element(`atlas-viewer${after}`), element(`atlas-problem${after}`), this, usual);
    });
    this.active = this.first;
    this.laid = new Overlays(
      this.frames,
      this.facts,
      () => this.active,
      (another) => this.remember(another),
    );
    this.lassos = this.frames.map(
      (frame) => new Lasso(frame.viewer, (corners) => this.choose({ corners, frame: frame.number })),
    );
    this.controls = new Controls({
      frame: () => this.active,
      home: () => this.frames.forEach((frame) => frame.viewer.home(false)),
      grid: (grid) => void this.change(grid),
      search: (text, where) => void this.search(text, where),
      draw: (on) => this.lassos.forEach((lasso) => lasso.turn(on)),
      region: (corners) => this.choose(corners ? { corners, frame: this.active.number } : null),
      middle: () => this.choose({ corners: middle(this.active.viewer), frame: this.active.number }),
      enter: () => this.visit(this.active.chosen, false),
      moving: (frame) => this.use(frame),
    });
    for (const frame of this.frames) this.controls.listen(frame);
    addEventListener("hashchange", () => this.follow());
    this.open(this.asked());
  }

  /** The keys move this frame: what is chosen follows its middle. */
  private use(frame: Frame): void {
    this.active = frame;
    this.pointedAt = false;
  }

  private get first(): Frame {
    const [first] = this.frames;
    if (!first) throw new Error("the page names no atlas");
    return first;
  }

  /** What the address asks for; the frame tells what of it cannot be. */
  private asked(): View {
    const usual = this.frames[0]?.grid ?? fact(this.holder, "grid");
    const view = parse(location.hash, this.first.whole(usual), this.first.facts.grids);
    this.first.tell(view.problems.join(" "));
    return view;
  }

  private open(view: View): void {
    this.controls.show(view.grid);
    let left = this.frames.length;
    for (const frame of this.frames) {
      const place = frame.number ? { ...frame.whole(view.grid), ...view.beside } : view;
      frame.open({ ...place, grid: view.grid }, () => {
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
    this.region = view.region && this.frames[view.region.frame] ? view.region : null;
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
    if (view.beside) this.frames[1]?.show(view.beside, false);
    this.dress(view);
  }

  /** The other grid, around the image that is chosen; its whole where none is. A region belongs to its grid. */
  private async change(grid: string): Promise<void> {
    const frame = this.first;
    if (grid === frame.grid) return;
    const { across } = frame.viewer.look();
    const image = this.sought() ?? frame.chosen?.item ?? null;
    let place = frame.whole(grid);
    if (image !== null && across < frame.columns * 0.9) {
      const found = await frame.attempt(() => frame.where(String(image), grid));
      if (found) place = { grid, x: found.x, y: found.y, across: shared(frame, grid, across) };
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
    for (const frame of this.frames) frame.tell("");
    this.first.reveal();
    await (where === null ? this.fly(item, false) : this.fit(where));
  }

  /** Flies to an item. */
  private async fly(image: string, immediately: boolean): Promise<void> {
    const frame = this.first;
    const place = await frame.attempt(() => frame.where(image));
    if (!place) return;
    this.pointedAt = false;
    const across = Math.min(frame.viewer.look().across, frame.around(place, AROUND));
    frame.viewer.lookAt(place.x, place.y, across, immediately);
    this.searched = { image, cell: await this.look(frame, place) };
    this.remember(true);
    const { one } = frame.facts;
    if (place.shown !== Number(image)) frame.tell(`${capital(one)} ${image} lies in the cell that shows ${one} ${place.shown}.`);
  }

  /** Marks the images that a filter keeps, and shows where they are. */
  private async fit(where: string): Promise<void> {
    const frame = this.first;
    const found = await this.laid.extent(where);
    if (!found) return;
    this.laid.mark(found.items ? where : "");
    this.controls.drawn(this.region !== null || this.laid.find !== "");
    if (found.box) frame.viewer.fit(...found.box);
    const { one } = frame.facts;
    const many = found.items === 1 ? `1 ${one} is` : `${found.items.toLocaleString("en")} ${one}s are`;
    frame.tell(
      found.items
        ? `${many} marked where ${where}; most of them lie in what is shown.`
        : nothingFound(one, where),
    );
    this.remember(true);
  }

  private choose(region: Region | null): void {
    this.region = region;
    for (const frame of this.frames) frame.tell("");
    if (!region) this.laid.mark("");
    this.showRegion();
    this.remember(true);
  }

  /** The region's outline where it was drawn, and its images marked in the other frame. */
  private showRegion(): void {
    const { region } = this;
    const source = this.frames[region?.frame ?? 0] ?? this.first;
    this.controls.drawn(region !== null || this.laid.find !== "");
    for (const frame of this.frames) {
      frame.outline(region && frame === source ? region.corners : "");
      const linked = region !== null && frame !== source;
      frame.lay("linked", linked ? drawnIn(source, region.corners) : {});
    }
    void this.panel.show(source, region?.corners ?? "");
  }

  moved(frame: Frame): void {
    if (frame.chosen || this.pointedAt || location.hash !== "") this.remember();
    if (!this.pointedAt && frame === this.active) void this.chooseMiddle(frame);
  }

  pointed(frame: Frame, spot: Spot | null): void {
    this.pointedAt = true;
    this.active = frame;
    void this.look(frame, spot);
  }

  async clicked(frame: Frame, spot: Spot | null, event: PointerEvent): Promise<void> {
    this.active = frame;
    const before = frame.chosen;
    const found = await this.look(frame, spot);
    const again = before?.item === found?.item;
    if (event.pointerType !== "touch" || again) this.visit(found, event.ctrlKey || event.metaKey);
  }

  private visit(cell: Cell | null, aside: boolean): void {
    if (!cell?.link) return;
    if (aside) open(cell.link, "_blank", "noopener");
    else location.assign(cell.link);
  }

  /** What is in the middle of what is seen, or nearest to it. */
  private chooseMiddle(frame: Frame): Promise<Cell | null> {
    return this.look(frame, frame.viewer.middle(), true);
  }

  /** Outlines a cell, tells what it shows, and outlines the same image in the other frame. */
  private async look(frame: Frame, spot: Spot | null, nearest = false): Promise<Cell | null> {
    try {
      const cell = await frame.choose(spot, nearest);
      if (!cell) return null;
      this.facts.show(cell, frame.sees(cell));
      void this.laid.tell(frame, cell);
      for (const other of this.frames) if (other !== frame) void this.link(frame, other, cell);
      return cell;
    } catch (error) {
      this.facts.clear();
      frame.tell(words(error));
      return null;
    }
  }

  private async link(from: Frame, to: Frame, cell: Cell): Promise<void> {
    const image = cell.item;
    const id = image === null ? null : await from.attempt(() => counterpart(from, to, image));
    const place = id === null || id === undefined ? undefined : await to.where(String(id)).catch(() => undefined);
    if (from.chosen !== cell) return;
    if (place) to.outlineImage(place);
    else to.viewer.choose(null);
  }

  private view(): View {
    const { region, first } = this;
    const { coloring, strength, find } = this.laid;
    const beside = this.frames[1]?.viewer.look() ?? null;
    return { grid: first.grid, ...first.viewer.look(), beside, coloring, strength, find, region, problems: [] };
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
