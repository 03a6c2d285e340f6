// Section of the counters: what each serves, and when it is planned to be open.
/** @import { SectionContext } from '../../shared/types' */
/** @import { Reading } from './week-grid.js' */
import './hours-words.js';
import { createElement } from '../../shared/dom.js';
import { setText, setTextPair, textElement, translations } from '../../shared/language.js';
import {
  addForm,
  cardTitle,
  checkboxField,
  englishNameField,
  removeButton,
  sameInBoth,
  setter,
  textField,
} from './fields.js';
import { appendEntries, entriesOf, moveButtons } from './order.js';
import { datesEditor } from './dates-editor.js';
import { datesLine, readHours, weekEditor, weekLines, weekTexts } from './week-grid.js';

/**
 * Planned hours of a counter, of which the summary is shown until somebody opens it.
 * @param {SectionContext} context
 * @param {string} id
 * @param {Promise<Record<string, Reading>>} readings
 */
function shiftsPart({ draft, changed, withAuth }, id, readings) {
  const counter = draft.counters[id];
  const key = `counters.${id}.shifts`;
  const said = createElement('span', { class: 'soft' });
  const part = createElement(
    'details',
    { class: 'shifts' },
    createElement('summary', {}, textElement('manage.shifts'), ' ', said),
    setText(createElement('p', { class: 'soft' }), 'manage.shifts.form'),
  );
  readings.then(
    ({ [id]: reading }) => {
      let week = reading.problem ? counter.shifts || [] : weekLines(reading.week);
      let dates = reading.dates.map(datesLine);
      const summarise = () => {
        const texts = weekTexts(reading.week, 'grid.shifts.always');
        setTextPair(said, texts);
      };
      const write = () => {
        counter.shifts = [...week, ...dates];
        // A site without plans is as it was before there were any.
        if (counter.shifts.length === 0) delete counter.shifts;
        changed();
      };
      summarise();
      part.append(
        weekEditor({
          keys: [key],
          reading,
          kind: 'shifts',
          withAuth,
          set: (lines, edited) => {
            week = lines;
            reading.week = edited;
            summarise();
            write();
          },
        }),
        datesEditor({
          keys: [],
          dates: reading.dates,
          set: lines => {
            dates = lines;
            write();
          },
        }),
      );
    },
    error => setTextPair(said, error.texts),
  );
  return part;
}

/**
 * @param {SectionContext} context
 * @returns {HTMLElement[]}
 */
export function section(context) {
  const { draft, changed, redraw, withAuth } = context;
  const lists = Object.fromEntries(
    entriesOf(draft.counters).map(([id, { shifts }]) => [id, shifts || []]),
  );
  const readings = readHours(lists, withAuth);
  const cards = entriesOf(draft.counters).map(([id, counter]) =>
    createElement(
      'div',
      { class: 'card' },
      cardTitle(
        counter.name,
        id,
        moveButtons(draft.counters, id, redraw),
        removeButton(counter.name, () => {
          delete draft.counters[id];
          redraw();
        }),
      ),
      createElement(
        'div',
        { class: 'fields' },
        textField(
          `counters.${id}.name`,
          translations('manage.name'),
          counter.name,
          setter(counter, 'name', changed),
        ),
        englishNameField(`counters.${id}.name_en`, counter, changed),
      ),
      createElement(
        'fieldset',
        { class: 'field' },
        textElement('manage.serves', {}, 'legend'),
        createElement(
          'div',
          { class: 'ticks' },
          entriesOf(draft.queues).map(([queue, { name }]) =>
            checkboxField(sameInBoth(name), counter.queues.includes(queue), on => {
              counter.queues = on
                ? [...counter.queues, queue]
                : counter.queues.filter(id => id !== queue);
              changed();
            }),
          ),
        ),
      ),
      checkboxField(
        translations('manage.auto'),
        counter.auto_next,
        setter(counter, 'auto_next', changed),
      ),
      shiftsPart(context, id, readings),
    ),
  );
  /** @param {[id: string, name: string][]} added */
  const add = added => {
    const queues = Object.keys(draft.queues);
    appendEntries(
      draft.counters,
      added.map(([id, name]) => [id, { name, queues: [...queues], auto_next: false }]),
    );
    redraw();
  };
  return [...cards, addForm('manage.add.counter', 'counter', add, draft.counters, withAuth)];
}
