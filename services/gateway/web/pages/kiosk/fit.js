// Fit of the choice of services to the screen: as large as it goes without scrolling.

const SCALES = [1.8, 1.35, 1, 0.85, 0.72, 0.6, 0.5, 0.42];
const MAX_COLUMNS = 4;
const BEST_ASPECT = 2; // width to height of a button
const GOOD_SHAPE_DISTANCE = 0.5; // from the best shape

/**
 * Chooses the number of columns and the size of the texts. What fits at no size scrolls.
 * @param {HTMLElement} list
 */
export function fitChoices(list) {
  const count = list.children.length;
  if (count === 0 || list.clientHeight === 0) return;
  const shapes = shapesByFit(list, count);
  const isGood = ({ distance }) => distance - shapes[0].distance < GOOD_SHAPE_DISTANCE;
  // Well shaped buttons with smaller texts are read better than narrow ones with larger texts.
  for (const candidates of [shapes.filter(isGood), shapes]) {
    for (const scale of SCALES) {
      list.style.setProperty('--scale', String(scale));
      for (const { columns } of candidates) {
        list.style.setProperty('--columns', String(columns));
        if (fits(list)) return;
      }
    }
  }
  list.style.setProperty('--columns', String(shapes[0].columns));
}

/**
 * Numbers of columns, the one with the best shape of the buttons first.
 * @param {HTMLElement} list
 * @param {number} count
 */
function shapesByFit(list, count) {
  const shape = columns => {
    const rows = Math.ceil(count / columns);
    const aspect = list.clientWidth / columns / (list.clientHeight / rows);
    // A last row with gaps looks unfinished.
    const gaps = (columns * rows - count) / count;
    return { columns, distance: Math.abs(Math.log(aspect / BEST_ASPECT)) + gaps / 2 };
  };
  const shapes = Array.from({ length: Math.min(count, MAX_COLUMNS) }, (_, index) =>
    shape(index + 1),
  );
  return shapes.sort((left, right) => left.distance - right.distance);
}

/** @param {HTMLElement} list */
function fits(list) {
  const isWithin = element =>
    element.scrollHeight <= element.clientHeight && element.scrollWidth <= element.clientWidth;
  const hasRoom = text => text.scrollWidth <= text.clientWidth + 1;
  return (
    isWithin(list) &&
    [...list.children].every(button => isWithin(button) && [...button.children].every(hasRoom))
  );
}
