// Charts as SVG, drawn for the width that there is: columns over time, and bars that stand in a
// table's cells. The figures stand beside them as text; colours are named in the style sheet.

const HEIGHT = 230;
const LEFT = 46;
const ABOVE = 24;
const BELOW = 30;
const LABEL = 48; // what a label takes of the axis
const WIDEST = 44;

/** An element of a picture. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat(Infinity));
  return element;
}

const hint = text => draw('title', {}, text);

/** The marks of an axis, from nothing to at least so much: four or so, and round. */
function marks(most) {
  const rough = Math.max(most, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map(one => one * power).find(one => one >= rough));
  return Array.from({ length: Math.max(1, Math.ceil(most / step)) + 1 }, (_, i) => i * step);
}

/**
 * Columns over time. `slots` are `{label, columns}`, and a column is `{parts, reach, over, says}`: parts
 * `{kind, value}` from the ground up, how far a thin line reaches above them, what stands over it,
 * and what it says to a pointer.
 */
export function columns(width, title, slots) {
  const top = ({ parts, reach = 0 }) => Math.max(reach, parts.reduce((sum, { value }) => sum + value, 0));
  const axis = marks(Math.max(0, ...slots.flatMap(slot => slot.columns.map(top))));
  const y = value => ABOVE + (HEIGHT - ABOVE - BELOW) * (1 - value / axis.at(-1));
  const each = (width - LEFT) / Math.max(1, slots.length);
  const lines = axis.map(mark => draw('g', { class: mark ? 'mark' : 'ground' },
    draw('line', { x1: LEFT, x2: width, y1: y(mark), y2: y(mark) }),
    draw('text', { x: LEFT - 8, y: y(mark) + 4, 'text-anchor': 'end' }, `${mark}`)));
  const skip = Math.ceil(LABEL / each);
  const drawn = slots.map(({ label, columns: all }, i) => {
    const left = LEFT + i * each;
    const wide = Math.max(1, Math.min(WIDEST, each * 0.74 / all.length));
    const first = left + (each - wide * all.length) / 2;
    const name = i % skip ? [] : [draw('text', { x: left + each / 2, y: HEIGHT - 8, 'text-anchor': 'middle' }, label)];
    return [...name, ...all.map((column, k) => one(column, first + k * wide, wide))];
  });
  function one({ parts, reach, over, says }, x, wide) {
    let under = 0;
    const inset = wide > 8 ? 1.5 : 0;
    const middle = x + wide / 2;
    const stack = parts.filter(({ value }) => value > 0).map(({ kind, value }) => {
      under += value;
      return draw('rect', { class: kind, x: x + inset, y: y(under), width: wide - 2 * inset, height: y(under - value) - y(under) });
    });
    const whisker = reach > under ? [draw('path', { class: 'whisker', d: `M${middle} ${y(under)}V${y(reach)}m-5 0h10` })] : [];
    const above = over && wide > 16 ? [draw('text', { class: 'over', x: middle, y: y(Math.max(under, reach || 0)) - 6, 'text-anchor': 'middle' }, over)] : [];
    return draw('g', {}, hint(says), stack, whisker, above);
  }
  return draw('svg', { class: 'chart', role: 'img', 'aria-label': title, width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` }, hint(title), lines, drawn);
}

/** A bar for a cell beside its figures: parts `{kind, value, says}` of `whole`, and a mark. */
export function bar(whole, parts, mark = null) {
  let before = 0;
  const share = value => `${(100 * value / Math.max(whole, 1e-9)).toFixed(2)}%`;
  const drawn = parts.filter(({ value }) => value > 0).map(({ kind, value, says }) => {
    const part = draw('rect', { class: kind, x: share(before), width: share(value), height: '100%' }, hint(says));
    before += value;
    return part;
  });
  const line = mark === null ? [] : [draw('line', { class: 'promise', x1: share(mark), x2: share(mark), y1: 0, y2: '100%' })];
  return draw('svg', { class: 'bar-chart', 'aria-hidden': 'true' }, draw('rect', { class: 'track', width: '100%', height: '100%' }), drawn, line);
}

/** What a colour stands for. */
export const swatch = kind => draw('svg', { class: 'swatch', 'aria-hidden': 'true' }, draw('rect', { class: kind, x: 1, y: 1, width: 14, height: 14 }));
