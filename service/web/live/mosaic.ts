/** The mosaic of activation maps: drawn at a whole multiple of its size, with one unit that can be chosen. */

/** Where the cells lie, as the service says it. */
export interface Mosaic {
  cells: number;
  rows: number;
  columns: number;
  cell_height: number;
  cell_width: number;
  gap: number;
  height: number;
  width: number;
}

/** Of the window's height, at most; style.css reserves as much. */
const TALL = 0.8;

/** A canvas with one cell for each unit. */
export class MosaicView {
  private mosaic: Mosaic | undefined;
  private scale = 1;
  private unit: number | null = null;

  /** told: hears which unit is chosen; opened: which is to be opened. */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly outline: HTMLElement,
    private readonly told: (unit: number | null) => void,
    opened: (unit: number, aside: boolean) => void,
  ) {
    canvas.addEventListener("pointermove", (event) => this.choose(this.at(event)));
    canvas.addEventListener("pointerleave", () => this.choose(null));
    canvas.addEventListener("click", (event) => {
      const unit = this.at(event);
      if (unit !== null) opened(unit, event.ctrlKey || event.metaKey);
    });
    canvas.addEventListener("keydown", (event) => {
      const step = this.step(event.key);
      if (step !== null) this.choose(step);
      else if (event.key === "Enter" && this.unit !== null) opened(this.unit, event.ctrlKey || event.metaKey);
      else return;
      event.preventDefault();
    });
    addEventListener("resize", () => this.fit());
  }

  /** Shows a picture of the maps. */
  draw(picture: ImageBitmap, mosaic: Mosaic): void {
    const changed = JSON.stringify(mosaic) !== JSON.stringify(this.mosaic);
    this.mosaic = mosaic;
    if (changed) {
      this.canvas.width = mosaic.width;
      this.canvas.height = mosaic.height;
      this.fit();
      this.choose(null);
    }
    this.canvas.getContext("2d")?.drawImage(picture, 0, 0);
  }

  /** Whole multiples of the screen's pixels, so that all positions are shown equally large, where there is room. */
  private fit(): void {
    if (!this.mosaic || !this.canvas.parentElement) return;
    const room = this.canvas.parentElement.clientWidth;
    const dots = devicePixelRatio || 1;
    const most = Math.min(room / this.mosaic.width, Math.max(1, (innerHeight * TALL) / this.mosaic.height));
    this.scale = most * dots >= 1 ? Math.floor(most * dots) / dots : most;
    this.canvas.style.width = `${this.mosaic.width * this.scale}px`;
    this.canvas.style.height = `${this.mosaic.height * this.scale}px`;
    this.choose(this.unit);
  }

  private at(event: MouseEvent): number | null {
    if (!this.mosaic) return null;
    const { cell_width, cell_height, gap, columns, cells } = this.mosaic;
    const frame = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - frame.left) / this.scale / (cell_width + gap));
    const row = Math.floor((event.clientY - frame.top) / this.scale / (cell_height + gap));
    const unit = row * columns + column;
    return column >= 0 && column < columns && row >= 0 && unit < cells ? unit : null;
  }

  private step(key: string): number | null {
    if (!this.mosaic) return null;
    const steps: Record<string, number> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.mosaic.columns,
      ArrowDown: this.mosaic.columns,
    };
    const step = steps[key];
    if (step === undefined) return null;
    const unit = this.unit === null ? 0 : this.unit + step;
    return Math.min(this.mosaic.cells - 1, Math.max(0, unit));
  }

  private choose(unit: number | null): void {
    this.unit = unit;
    this.outline.hidden = unit === null;
    if (unit !== null && this.mosaic) {
      const { cell_width, cell_height, gap, columns } = this.mosaic;
      const style = this.outline.style;
      style.left = `${(unit % columns) * (cell_width + gap) * this.scale - 2}px`;
      style.top = `${Math.floor(unit / columns) * (cell_height + gap) * this.scale - 2}px`;
      style.width = `${cell_width * this.scale + 4}px`;
      style.height = `${cell_height * this.scale + 4}px`;
    }
    this.told(unit);
  }
}
