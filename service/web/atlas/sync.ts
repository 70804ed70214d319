/** What is the same in two frames, or in two grids of one: a share of the map, a region, an image. */

import { ask } from "../api";
import type { Frame } from "./frame";
import type { Coloring } from "./view_state";

/** As many cells across in another grid as show the same share of it. */
export function shared(frame: Frame, grid: string, across: number): number {
  return grid === "scatter" || frame.grid === "scatter"
    ? (across / frame.columns) * frame.whole(grid).x * 2
    : across;
}

/** The coloring that marks a region which was drawn in another frame. */
export function drawnIn(frame: Frame, region: string): Coloring {
  const { store, atlas } = frame.facts;
  return { by: "region", region, region_grid: frame.grid, region_atlas: atlas, region_store: store };
}

/** The same image in the store of another frame; null where it has none. */
export async function counterpart(from: Frame, to: Frame, image: number): Promise<number | null> {
  if (from.facts.store === to.facts.store) return image;
  const query = new URLSearchParams({ other: to.facts.store });
  return (await ask<{ counterpart: number | null }>(`${from.facts.images}/${image}/counterpart?${query}`)).counterpart;
}
