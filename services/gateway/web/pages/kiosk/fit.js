// Fit of the choice of services to the screen: as large as it goes without scrolling.

const SCALES = [1.8, 1.35, 1, 0.85, 0.72, 0.6, 0.5, 0.42];
const MAX_COLUMNS = 4;
const BEST_ASPECT = 2; // width to height of a button

/**
 * Chooses the number of columns and the size of the texts. What fits at no size scrolls.
 * @param {HTMLElement} list
 */
export function fitChoices(list) {
  const count = list.children.length;
  if (count === 0 || list.clientHeight === 0) return;
  const columns = columnsByAspect(list, count);
  for (const scale of SCALES) {
    list.style.setProperty('--scale', String(scale));
    for (const number of columns) {
      list.style.setProperty('--columns', String(number));
      if (fits(list)) return;
    }
  }
  list.style.setProperty('--columns', String(columns[0]));
}

/**
 * Numbers of columns, the one with the best shape of the buttons first.
 * @param {HTMLElement} list
 * @param {number} count
 */
function columnsByAspect(list, count) {
  const distance = columns => {
    const rows = Math.ceil(count / columns);
    const aspect = list.clientWidth / columns / (list.clientHeight / rows);
    // A last row with gaps looks unfinished.
    const gaps = (columns * rows - count) / count;
    return Math.abs(Math.log(aspect / BEST_ASPECT)) + gaps / 2;
  };
  const numbers = Array.from({ length: Math.min(count, MAX_COLUMNS) }, (_, index) => index + 1);
  return numbers.sort((left, right) => distance(left) - distance(right));
}

/** @param {HTMLElement} list */
function fits(list) {
  const isWithin = element =>
    element.scrollHeight <= element.clientHeight && element.scrollWidth <= element.clientWidth;
  return isWithin(list) && [...list.children].every(isWithin);
}
