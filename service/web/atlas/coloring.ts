/** The form that says what the atlas is colored by, and the legend of that. */

import { piece, words } from "../api";
import { element, tell } from "../dom";
import type { Frame } from "./frame";
import type { Coloring } from "./view_state";

/** The fields that each choice needs. */
const FIELDS: Record<string, readonly string[]> = { unit: ["layer", "unit"], where: ["where"] };

export class Colors {
  private readonly form = element<HTMLFormElement>("atlas-paint");
  private readonly legend = element("atlas-legend");
  private asking: AbortController | undefined;

  /** changed: hears of what is to be colored, and how strongly. */
  constructor(private readonly changed: (coloring: Coloring, strength: number) => void) {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.tellChange();
    });
    this.form.addEventListener("change", (event) => {
      this.arrange();
      const name = (event.target as HTMLInputElement).name;
      if (name !== "where" && !(name === "by" && this.value("by") === "where")) this.tellChange();
    });
    this.field("strength").addEventListener("input", () => this.tellChange());
  }

  /** Sets the fields as they are for a coloring. */
  show(coloring: Coloring, strength: number): void {
    const by = coloring["by"] === "column" ? `column:${coloring["column"] ?? "label"}` : (coloring["by"] ?? "");
    this.field("by").value = by;
    for (const name of ["layer", "unit", "where"]) {
      const value = coloring[name];
      if (value !== undefined) this.field(name).value = value;
    }
    this.field("strength").value = String(strength);
    this.arrange();
  }

  /** Shows the legend of a coloring, or why there is none; whether the coloring can be laid on. frame: of the map. */
  async explain(coloring: Coloring, frame: Frame): Promise<boolean> {
    this.asking?.abort();
    if (!("by" in coloring)) {
      this.legend.replaceChildren();
      return true;
    }
    const asking = (this.asking = new AbortController());
    const filled = await fragment(`${frame.facts.page}/legend?${frame.query({ ...coloring })}`, this.legend, asking.signal);
    return filled && this.legend.querySelector(".legend") !== null;
  }

  private tellChange(): void {
    const [by = "", column] = this.value("by").split(/:(.*)/s);
    const coloring: Record<string, string> = by ? { by } : {};
    if (column) coloring["column"] = column;
    for (const name of FIELDS[by] ?? []) coloring[name] = this.value(name);
    if (coloring["where"] === "" || coloring["unit"] === "") return;
    this.changed(coloring, Number(this.value("strength")));
  }

  /** Shows the fields that the choice needs, and no others. */
  private arrange(): void {
    const by = this.value("by");
    const needed = ["by", ...(FIELDS[by] ?? []), ...(by ? ["strength"] : [])];
    for (const label of this.form.querySelectorAll("label"))
      label.hidden = !needed.includes(label.querySelector<HTMLInputElement>("[name]")?.name ?? "");
    const button = this.form.querySelector("button");
    if (button) button.hidden = by !== "where";
  }

  private value(name: string): string {
    return this.field(name).value;
  }

  private field(name: string): HTMLInputElement {
    return this.form.elements.namedItem(name) as HTMLInputElement;
  }
}

/** Fills an element with a piece of a page; false where it was given up, or is filled with why there is none. */
export async function fragment(address: string, holder: HTMLElement, signal: AbortSignal): Promise<boolean> {
  try {
    const text = await piece(address, signal);
    if (signal.aborted) return false;
    holder.innerHTML = text;
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    const warning = document.createElement("p");
    warning.className = "warning";
    tell(warning, words(error));
    holder.replaceChildren(warning);
    return false;
  }
}
