// Charts as SVG for a given width: columns over time, and bars for the cells of a table. The figures stand
// beside them as text; the style sheet names the colours.

/**
 * Part of a column or bar; `kind` is the class of its colour.
 * @typedef {{ kind: string, value: number }} Part
 *
 * Column: parts from the ground up, the height of a thin line above them, a label over it, a tooltip.
 * @typedef {{ parts: Part[], reach?: number, over?: string | false, says: string }} Column
 */

const HEIGHT = 230;
const LEFT = 46;
const TOP = 24;
const BOTTOM = 30;
const LABEL_WIDTH = 48; // of a label on the axis
const MAX_COLUMN_WIDTH = 44;

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...any} children
 */
export function svgElement(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children.flat(Infinity));
  return element;
}

const titleElement = text => svgElement('title', {}, text);

/**
 * About four round marks of an axis, from zero to at least a maximum.
 * @param {number} maximum
 */
function axisMarks(maximum) {
  const rough = Math.max(maximum, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(
    1,
    [1, 2, 5, 10].map(factor => factor * power).find(candidate => candidate >= rough),
  );
  return Array.from({ length: Math.max(1, Math.ceil(maximum / step)) + 1 }, (_, i) => i * step);
}

/**
 * Chart of columns over time.
 * @param {number} width
 * @param {string} title
 * @param {{ label: string, columns: Column[] }[]} slots
 */
export function columnChart(width, title, slots) {
  const top = ({ parts, reach = 0 }) =>
    Math.max(
      reach,
      parts.reduce((sum, { value }) => sum + value, 0),
    );
  const axis = axisMarks(Math.max(0, ...slots.flatMap(slot => slot.columns.map(top))));
  const y = value => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / axis[axis.length - 1]);
  const slotWidth = (width - LEFT) / Math.max(1, slots.length);
  const lines = axis.map(mark =>
    svgElement(
      'g',
      { class: mark ? 'mark' : 'ground' },
      svgElement('line', { x1: LEFT, x2: width, y1: y(mark), y2: y(mark) }),
      svgElement('text', { x: LEFT - 8, y: y(mark) + 4, 'text-anchor': 'end' }, `${mark}`),
    ),
  );
  const labelEvery = Math.ceil(LABEL_WIDTH / slotWidth);
  const shapes = slots.map(({ label, columns: all }, i) => {
    const left = LEFT + i * slotWidth;
    const wide = Math.max(1, Math.min(MAX_COLUMN_WIDTH, (slotWidth * 0.74) / all.length));
    const first = left + (slotWidth - wide * all.length) / 2;
    const name =
      i % labelEvery
        ? []
        : [
            svgElement(
              'text',
              { x: left + slotWidth / 2, y: HEIGHT - 8, 'text-anchor': 'middle' },
              label,
            ),
          ];
    return [...name, ...all.map((column, k) => columnElement(column, first + k * wide, wide))];
  });
  /**
   * @param {Column} column
   * @param {number} x
   * @param {number} wide
   */
  function columnElement({ parts, reach, over, says }, x, wide) {
    let stacked = 0;
    const inset = wide > 8 ? 1.5 : 0;
    const middle = x + wide / 2;
    const stack = parts
      .filter(({ value }) => value > 0)
      .map(({ kind, value }) => {
        stacked += value;
        return svgElement('rect', {
          class: kind,
          x: x + inset,
          y: y(stacked),
          width: wide - 2 * inset,
          height: y(stacked - value) - y(stacked),
        });
      });
    const whisker =
      reach > stacked
        ? [
            svgElement('path', {
              class: 'whisker',
              d: `M${middle} ${y(stacked)}V${y(reach)}m-5 0h10`,
            }),
          ]
        : [];
    const label =
      over && wide > 16
        ? [
            svgElement(
              'text',
              {
                class: 'over',
                x: middle,
                y: y(Math.max(stacked, reach || 0)) - 6,
                'text-anchor': 'middle',
              },
              over,
            ),
          ]
        : [];
    return svgElement('g', {}, titleElement(says), stack, whisker, label);
  }
  return svgElement(
    'svg',
    {
      class: 'chart',
      role: 'img',
      'aria-label': title,
      width,
      height: HEIGHT,
      viewBox: `0 0 ${width} ${HEIGHT}`,
    },
    titleElement(title),
    lines,
    shapes,
  );
}

/**
 * Bar for a cell of a table.
 * @param {number} whole
 * @param {(Part & { says: string })[]} parts
 * @param {number | null} mark
 */
export function barChart(whole, parts, mark = null) {
  let before = 0;
  const percent = value => `${((100 * value) / Math.max(whole, 1e-9)).toFixed(2)}%`;
  const shapes = parts
    .filter(({ value }) => value > 0)
    .map(({ kind, value, says }) => {
      const part = svgElement(
        'rect',
        { class: kind, x: percent(before), width: percent(value), height: '100%' },
        titleElement(says),
      );
      before += value;
      return part;
    });
  const line =
    mark === null
      ? []
      : [
          svgElement('line', {
            class: 'promise',
            x1: percent(mark),
            x2: percent(mark),
            y1: 0,
            y2: '100%',
          }),
        ];
  return svgElement(
    'svg',
    { class: 'bar-chart', 'aria-hidden': 'true' },
    svgElement('rect', { class: 'track', width: '100%', height: '100%' }),
    shapes,
    line,
  );
}

/**
 * Sample of a colour for a legend.
 * @param {string} kind
 */
export const swatch = kind =>
  svgElement(
    'svg',
    { class: 'swatch', 'aria-hidden': 'true' },
    svgElement('rect', { class: kind, x: 1, y: 1, width: 14, height: 14 }),
  );
