// Layout of the board: as many columns, rows and pages as the screen has room for.

const PAGE_MS = 8000; // time for which a page of a long list is shown

/** Screens that are narrower show everything, one below the other. */
const isNarrow = matchMedia('(max-width: 900px)');
const isPortrait = matchMedia('(orientation: portrait)');

/**
 * Largest grid of a list, and the number of entries up to which they are large.
 * @typedef {{ columns: number, rows: number, roomy: number }} Grid
 */

/** @type {Record<string, { landscape: Grid, portrait: Grid }>} */
const GRIDS = {
  counters: {
    landscape: { columns: 6, rows: 2, roomy: 6 },
    portrait: { columns: 3, rows: 4, roomy: 3 },
  },
  queues: {
    landscape: { columns: 4, rows: 2, roomy: 3 },
    portrait: { columns: 2, rows: 4, roomy: 2 },
  },
};

/** List of which a page is shown after the other, where one is not enough. */
export class PagedList {
  /**
   * @param {HTMLElement} list
   * @param {string} kind
   */
  constructor(list, kind) {
    this.list = list;
    this.kind = kind;
    /** @type {HTMLElement[]} */
    this.items = [];
    this.page = 0;
    setInterval(() => {
      this.page += 1;
      this.render();
    }, PAGE_MS);
    for (const media of [isNarrow, isPortrait]) {
      media.addEventListener('change', () => this.render());
    }
  }

  /**
   * True if so many entries are shown large.
   * @param {number} count
   */
  isRoomy(count) {
    return isNarrow.matches || count <= this.grid.roomy;
  }

  get grid() {
    return GRIDS[this.kind][isPortrait.matches ? 'portrait' : 'landscape'];
  }

  /** @param {HTMLElement[]} items */
  show(items) {
    this.items = items;
    this.render();
  }

  render() {
    const { items, list, grid } = this;
    const most = Math.max(1, Math.min(items.length, grid.columns));
    const perPage = isNarrow.matches ? Infinity : most * grid.rows;
    const pages = Math.max(1, Math.ceil(items.length / perPage));
    this.page %= pages;
    // Pages and rows of one length, so that none is nearly empty.
    const length = Math.ceil(items.length / pages);
    const rows = Math.ceil(length / most);
    const first = this.page * length;
    list.style.setProperty('--columns', String(Math.ceil(length / rows) || 1));
    list.style.setProperty('--rows', String(rows || 1));
    list.classList.toggle('roomy', this.isRoomy(items.length));
    list.replaceChildren(...items.slice(first, first + length));
    list.dataset.pages = pages > 1 ? `${this.page + 1}/${pages}` : '';
  }
}

/**
 * Shows as many rows as the list has room for.
 * @param {HTMLElement} list
 * @param {HTMLElement[]} rows
 */
export function showFittingRows(list, rows) {
  const height = parseFloat(getComputedStyle(list).gridAutoRows) || 1;
  const count = isNarrow.matches ? 5 : Math.max(1, Math.floor(list.clientHeight / height));
  list.replaceChildren(...rows.slice(0, count));
}
