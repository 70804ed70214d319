/** What is laid over the maps of the page: the paint, and what was searched for. */

import type { Cell } from "./cells";
import type { Facts } from "./facts";
import { Painter } from "./paint";
import type { Pane } from "./pane";
import { type Paint, STRENGTH, type View } from "./place";

/** Where the items lie that a filter keeps. box: x0, y0, x1, y1 in cells, null for none. */
export interface Extent {
  items: number;
  box: [number, number, number, number] | null;
}

/** The same over every frame. paint: by what they are painted, strength: how strongly; find: the filter that is marked. */
export class Laid {
  paint: Paint = {};
  strength = STRENGTH;
  find = "";
  private readonly painter: Painter;
  private telling: AbortController | undefined;

  /** changed: hears when a person paints; with true if by another thing. chosen: what is outlined, and where. */
  constructor(
    private readonly panes: readonly Pane[],
    private readonly facts: Facts,
    private readonly chosen: () => Pane,
    changed: (another: boolean) => void,
  ) {
    this.painter = new Painter((paint, strength) => {
      const another = JSON.stringify(paint) !== JSON.stringify(this.paint);
      this.strength = strength;
      if (another) {
        this.paint = paint;
        for (const pane of panes) pane.tell("");
        void this.layPaint();
      } else {
        for (const pane of panes) pane.viewer.strengthen("paint", strength);
      }
      changed(another);
    });
  }

  /** As a view has it. */
  dress(view: View): void {
    this.paint = view.paint;
    this.strength = view.strength;
    this.find = view.find;
    this.painter.show(view.paint, view.strength);
    void this.layPaint();
    void this.markFound();
  }

  /** Marks the items that a filter keeps; none without one. */
  mark(find: string): void {
    this.find = find;
    for (const pane of this.panes) pane.lay("found", find ? { by: "where", where: find } : {});
  }

  /** Where the items of a filter lie in the first frame, which tells where it cannot be read. */
  async extent(where: string): Promise<Extent | null> {
    const [pane] = this.panes;
    return pane ? await pane.attempt(() => pane.ask<Extent>("extent", { grid: pane.grid, where })) : null;
  }

  /** Tells what the item that is outlined is painted by. */
  async tell(pane: Pane, cell: Cell | null): Promise<void> {
    this.telling?.abort();
    if (cell?.item == null || !("by" in this.paint)) {
      this.facts.painted("");
      return;
    }
    const telling = (this.telling = new AbortController());
    const asked = pane.ask<{ text: string | null }>(`overlays/values/${cell.item}`, this.paint, telling.signal);
    const told = await asked.catch(() => null);
    if (telling.signal.aborted) return;
    this.facts.painted(told ? `color: ${told.text ?? "no value"}` : "");
  }

  /** Lays the paint on once its legend is there; in place of one that cannot be, that tells why. */
  private async layPaint(): Promise<void> {
    const { paint } = this;
    const [first] = this.panes;
    const possible = first !== undefined && (await this.painter.explain(paint, first));
    if (paint !== this.paint) return;
    for (const pane of this.panes) pane.lay("paint", possible ? paint : {}, this.strength);
    const pane = this.chosen();
    void this.tell(pane, possible ? pane.chosen : null);
  }

  /** Marks what an address says is searched for, if it can be read. */
  private async markFound(): Promise<void> {
    const { find } = this;
    const found = find === "" ? null : await this.extent(find);
    if (find !== this.find) return;
    this.mark(found?.items ? find : "");
    const [pane] = this.panes;
    if (found && !found.items && pane) pane.tell(nothingFound(pane.facts.one, find));
  }
}

/** What is said where no item of a map passes a filter. */
export function nothingFound(one: string, where: string): string {
  return `No ${one} on the map matches the filter ${where}.`;
}
