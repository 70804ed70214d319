/** What is laid over the maps of the page: the coloring, and what was searched for. */

import type { Cell } from "./cell_cache";
import type { CellPanel } from "./cell_panel";
import { Colors } from "./coloring";
import type { Frame } from "./frame";
import { type Coloring, STRENGTH, type View } from "./view_state";

/** Where the items lie that a filter keeps. box: x0, y0, x1, y1 in cells, null for none. */
export interface Extent {
  items: number;
  box: [number, number, number, number] | null;
}

/** The same over every frame. coloring: by what they are colored, strength: how strongly; find: the filter that is marked. */
export class Overlays {
  coloring: Coloring = {};
  strength = STRENGTH;
  find = "";
  private readonly painter: Colors;
  private telling: AbortController | undefined;

  /** changed: hears when a person paints; with true if by another thing. chosen: what is outlined, and where. */
  constructor(
    private readonly frames: readonly Frame[],
    private readonly facts: CellPanel,
    private readonly chosen: () => Frame,
    changed: (another: boolean) => void,
  ) {
    this.painter = new Colors((coloring, strength) => {
      const another = JSON.stringify(coloring) !== JSON.stringify(this.coloring);
      this.strength = strength;
      if (another) {
        this.coloring = coloring;
        for (const frame of frames) frame.tell("");
        void this.layPaint();
      } else {
        for (const frame of frames) frame.viewer.strengthen("paint", strength);
      }
      changed(another);
    });
  }

  /** As a view has it. */
  dress(view: View): void {
    this.coloring = view.coloring;
    this.strength = view.strength;
    this.find = view.find;
    this.painter.show(view.coloring, view.strength);
    void this.layPaint();
    void this.markFound();
  }

  /** Marks the items that a filter keeps; none without one. */
  mark(find: string): void {
    this.find = find;
    for (const frame of this.frames) frame.lay("found", find ? { by: "where", where: find } : {});
  }

  /** Where the items of a filter lie in the first frame, which tells where it cannot be read. */
  async extent(where: string): Promise<Extent | null> {
    const [frame] = this.frames;
    return frame ? await frame.attempt(() => frame.ask<Extent>("extent", { grid: frame.grid, where })) : null;
  }

  /** Tells what the item that is outlined is colored by. */
  async tell(frame: Frame, cell: Cell | null): Promise<void> {
    this.telling?.abort();
    if (cell?.item == null || !("by" in this.coloring)) {
      this.facts.colored("");
      return;
    }
    const telling = (this.telling = new AbortController());
    const asked = frame.ask<{ text: string | null }>(`overlays/values/${cell.item}`, this.coloring, telling.signal);
    const told = await asked.catch(() => null);
    if (telling.signal.aborted) return;
    this.facts.colored(told ? `color: ${told.text ?? "no value"}` : "");
  }

  /** Lays the coloring on once its legend is there; in place of one that cannot be, that tells why. */
  private async layPaint(): Promise<void> {
    const { coloring } = this;
    const [first] = this.frames;
    const possible = first !== undefined && (await this.painter.explain(coloring, first));
    if (coloring !== this.coloring) return;
    for (const frame of this.frames) frame.lay("paint", possible ? coloring : {}, this.strength);
    const frame = this.chosen();
    void this.tell(frame, possible ? frame.chosen : null);
  }

  /** Marks what an address says is searched for, if it can be read. */
  private async markFound(): Promise<void> {
    const { find } = this;
    const found = find === "" ? null : await this.extent(find);
    if (find !== this.find) return;
    this.mark(found?.items ? find : "");
    const [frame] = this.frames;
    if (found && !found.items && frame) frame.tell(nothingFound(frame.facts.one, find));
  }
}

/** What is said where no item of a map passes a filter. */
export function nothingFound(one: string, where: string): string {
  return `No ${one} on the map matches the filter ${where}.`;
}
