/** What a map shows at its places, asked for one at a time and kept. */

import { piece } from "../api";

/** What is shown at a place, as the page beside the map tells of it. x, y, side: where the map draws it, in cells. */
export interface Cell {
  /** An image, a unit or a sample; null for none. */
  item: number | null;
  /** Its own page. */
  link: string;
  html: string;
  x: number;
  y: number;
  side: number;
}

/** A place in cells of the deepest level, and the cell that it is in. level: of the scatter, that is looked at. */
export interface Spot {
  x: number;
  y: number;
  column: number;
  row: number;
  level?: number;
}

const KEPT = 500;
/** Milliseconds that a pointer must rest before anything is asked. */
const REST = 60;

/** The cells of a map: a new question takes the place of one that has no answer yet. */
export class CellCache {
  private readonly kept = new Map<string, Cell>();
  private asking: AbortController | undefined;

  constructor(
    private readonly page: string,
    private readonly version: string,
  ) {}

  /** What is shown at a spot, or nearest to it; null where another was asked for meanwhile. Throws ProblemError. */
  async get(grid: string, spot: Spot, nearest: boolean): Promise<Cell | null> {
    this.asking?.abort();
    const query = new URLSearchParams({ grid, v: this.version, nearest: String(nearest), ...place(spot) });
    const key = query.toString();
    const known = this.kept.get(key);
    if (known) return known;
    const asking = (this.asking = new AbortController());
    await new Promise((done) => setTimeout(done, REST));
    if (asking.signal.aborted) return null;
    try {
      const html = await piece(`${this.page}/at?${query}`, asking.signal);
      if (asking.signal.aborted) return null;
      const cell = read(html);
      this.keep(key, cell);
      return cell;
    } catch (error) {
      if (asking.signal.aborted) return null;
      throw error;
    }
  }

  private keep(key: string, cell: Cell): void {
    const oldest = this.kept.keys().next();
    if (this.kept.size >= KEPT && !oldest.done) this.kept.delete(oldest.value);
    this.kept.set(key, cell);
  }
}

function read(html: string): Cell {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const drawn = holder.content.querySelector<HTMLElement>("[data-side]")?.dataset ?? {};
  const link = holder.content.querySelector<HTMLAnchorElement>("a[data-item]");
  return {
    item: link ? Number(link.dataset["item"]) : null,
    link: link?.getAttribute("href") ?? "",
    html,
    x: Number(drawn["x"]),
    y: Number(drawn["y"]),
    side: Number(drawn["side"]),
  };
}

function place({ x, y, column, row, level }: Spot): Record<string, string> {
  if (level === undefined) return { x: String(column), y: String(row) };
  return { x: x.toFixed(2), y: y.toFixed(2), level: String(level) };
}
