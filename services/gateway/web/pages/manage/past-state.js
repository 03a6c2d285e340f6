// What the line looked like at a moment that is over.
import { ask, make, now } from './paihao.js';
import { pair, put, said, say, tongue } from './language.js';
import { field } from './manage-fields.js';

const LISTED = 24;
const BEFORE_MS = 600000; // the moment that is offered at first: ten minutes ago

/** A moment as the field writes it, by a site's clocks. */
const local = (at, timeZone) => new Date(at).toLocaleString('sv-SE', { timeZone }).slice(0, 16).replace(' ', 'T');

function queue({ name, waiting, waiting_count: count, held_count: held, missed_count: missed }) {
  const more = count - Math.min(count, LISTED);
  return make('li', {}, make('h4', { lang: tongue(name) }, name), count > 0 ? said('waiting', { count }, 'p') : said('waiting.none', {}, 'p'),
    count > 0 && make('ol', { class: 'numbers' }, waiting.slice(0, LISTED).map(({ number }) => make('li', { translate: 'no' }, number)),
      more > 0 && say(make('li', { class: 'more' }), 'numbers.past.more', { count: more })),
    held + missed > 0 && say(make('p', { class: 'soft' }), 'numbers.past.aside', { held, missed }));
}

function counter({ name, open, serving }) {
  const doing = serving ? `numbers.past.${serving.started_at ? 'serving' : 'called'}` : `numbers.past.${open ? 'free' : 'closed'}`;
  return make('li', {}, make('span', { lang: tongue(name) }, name), serving && make('b', { translate: 'no' }, serving.number), said(doing, {}, 'span'));
}

/** A card that asks for a moment and shows the line then. */
export function past({ saved, id, authorised }) {
  const when = make('input', { type: 'datetime-local', step: 'any', required: true, value: local(now() - BEFORE_MS, saved.time_zone) });
  const stood = make('div', { class: 'stood', 'aria-live': 'polite' });
  const form = make('form', { class: 'adding' }, field('numbers.past', pair('numbers.past.when'), when), said('numbers.past.show', {}, 'button'));
  form.lastChild.className = 'ghost';
  form.addEventListener('submit', async event => {
    event.preventDefault();
    const time = when.value;
    try {
      const seen = await ask(`/api/v1/sites/${encodeURIComponent(id)}/at?${new URLSearchParams({ time })}`, authorised({}));
      stood.replaceChildren(said('numbers.past.stood', { time: time.replace('T', ' ') }, 'h4'),
        make('ul', { class: 'then' }, seen.queues.map(queue)),
        said('numbers.past.counters', {}, 'h4'), make('ul', { class: 'at-counters' }, seen.counters.map(counter)));
    } catch (refusal) {
      stood.replaceChildren(put(make('p', { class: 'trouble' }), refusal.pair));
    }
  });
  return make('section', { class: 'card past' }, say(make('h3'), 'numbers.past'), say(make('p', { class: 'soft' }), 'numbers.past.lead'), form, stood);
}
