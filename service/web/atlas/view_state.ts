/** What is looked at, as the address holds it: #grid=assigned&x=112.5&y=98&across=40&by=unit&layer=…&region=…, in cells. */

import { short } from "../dom";

/** x, y: the middle, in cells from the upper left corner. across: how many cells fit side by side. */
export interface Look {
  x: number;
  y: number;
  across: number;
}

export interface Place extends Look {
  grid: string;
}

/** What the atlas is colored by: the parameters that the API takes for it. Empty for nothing. */
export type Coloring = Readonly<Record<string, string>>;

/** A region. frame: in which of the frames it was drawn, from 0. */
export interface Region {
  corners: string;
  frame: number;
}

/** All that the address holds. beside: where the second frame looks. find: the filter whose items are marked.
 *  problems: what of an address cannot be shown, in sentences. */
export interface View extends Place {
  beside: Look | null;
  coloring: Coloring;
  strength: number;
  find: string;
  region: Region | null;
  problems: readonly string[];
}

/** Of a grid, in cells. */
export interface Size {
  columns: number;
  rows: number;
}

const ANY: Size = { columns: Infinity, rows: Infinity };
export const STRENGTH = 0.6;
const PAINT = ["by", "column", "layer", "unit", "where"];

/** The view that an address's hash names; whatever it does not name, or names wrongly, is as in `otherwise`. */
export function parse(hash: string, otherwise: Place, grids: Readonly<Record<string, Size>>): View {
  const held = new URLSearchParams(hash.replace(/^#/, ""));
  const problems: string[] = [];
  const wrong = (name: string, allowed: string): void => {
    problems.push(`The address has ${name}=${(held.get(name) ?? "").slice(0, 60)}, which must be ${allowed}.`);
  };
  const number = (name: string, least: number, most: number, usual: number): number => {
    const text = held.get(name);
    if (text === null) return usual;
    const value = text.trim() === "" ? NaN : Number(text);
    if (value >= least && value <= most) return value;
    wrong(name, `a number from ${least}${most === Infinity ? " up" : ` to ${most}`}`);
    return usual;
  };
  const look = (after: string, { columns, rows }: Size, usual: Look): Look => ({
    x: number(`x${after}`, -columns, 2 * columns, usual.x),
    y: number(`y${after}`, -rows, 2 * rows, usual.y),
    across: number(`across${after}`, 0.01, Infinity, usual.across),
  });
  let grid = held.get("grid") ?? otherwise.grid;
  if (!(grid in grids)) {
    wrong("grid", `one of ${Object.keys(grids).join(", ")}`);
    grid = otherwise.grid;
  }
  const size = grids[grid] ?? { columns: Infinity, rows: Infinity };
  const whole = { x: size.columns / 2, y: size.rows / 2, across: 0 };
  const drawn = held.get("region");
  const corners = drawn && isRegion(drawn) ? drawn : null;
  if (drawn && !corners) wrong("region", "the corners of a polygon, x,y;x,y;x,y, in cells");
  const named = PAINT.map((name): [string, string | null] => [name, held.get(name)]);
  return {
    grid,
    ...look("", size, grid === otherwise.grid ? otherwise : whole),
    beside: held.has("across2") ? look("2", ANY, { x: 0, y: 0, across: 0 }) : null,
    coloring: held.has("by") ? Object.fromEntries(named.filter((one): one is [string, string] => one[1] !== null)) : {},
    strength: number("strength", 0.1, 1, STRENGTH),
    find: held.get("find") ?? "",
    region: corners ? { corners, frame: number("pane", 0, 1, 0) } : null,
    problems,
  };
}

/** Whether a text is the corners of a polygon. */
function isRegion(text: string): boolean {
  const corner = String.raw`-?\d{1,7}(\.\d{1,4})?,-?\d{1,7}(\.\d{1,4})?`;
  return new RegExp(`^${corner}(;${corner}){2,}$`).test(text);
}

/** The hash that names a view. */
export function hash(view: View): string {
  const { grid, beside, coloring, strength, find, region } = view;
  const held = new URLSearchParams({ grid });
  const put = (look: Look, after: string): void => {
    if (look.across > 0) for (const name of ["x", "y", "across"] as const) held.set(name + after, short(look[name]));
  };
  put(view, "");
  if (beside) put(beside, "2");
  for (const [name, value] of Object.entries(coloring)) held.set(name, value);
  if (strength !== STRENGTH && "by" in coloring) held.set("strength", String(strength));
  if (find) held.set("find", find);
  if (region) held.set("region", region.corners);
  if (region?.frame) held.set("pane", String(region.frame));
  return `#${held}`;
}
