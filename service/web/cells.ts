/** What the cells of a grid show, asked for one at a time and kept. */

import { ask } from "./api";

export interface Shown {
  image_id: number;
  uri: string;
  width: number | null;
  height: number | null;
  label: string | null;
  label_index: number | null;
  label_class: string | null;
  predicted: number | null;
  predicted_class: string | null;
  probability: number | null;
  thumb: string;
}

export interface Cell {
  row: number;
  column: number;
  images: number;
  image: Shown | null;
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

/** The cells of an atlas: a new question takes the place of one that has no answer yet. */
export class Cells {
  private readonly kept = new Map<string, Cell>();
  private asking: AbortController | undefined;

  constructor(
    private readonly api: string,
    private readonly version: string,
  ) {}

  /** What a cell shows; null where another one was asked for meanwhile. Throws ProblemError. */
  async get(grid: string, spot: Spot): Promise<Cell | null> {
    this.asking?.abort();
    const query = new URLSearchParams({ grid, v: this.version, ...place(spot) });
    const key = query.toString();
    const known = this.kept.get(key);
    if (known) return known;
    const asking = (this.asking = new AbortController());
    await new Promise((done) => setTimeout(done, REST));
    if (asking.signal.aborted) return null;
    try {
      const cell = await ask<Cell>(`${this.api}/at?${query}`, asking.signal);
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

function place({ x, y, column, row, level }: Spot): Record<string, string> {
  if (level === undefined) return { x: String(column), y: String(row) };
  return { x: x.toFixed(2), y: y.toFixed(2), level: String(level) };
}
