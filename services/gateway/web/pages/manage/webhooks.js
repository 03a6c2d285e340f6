// The owner's other systems: which are told what happens, and what they are to be told again.
import { make } from './paihao.js';
import { field } from './manage-fields.js';
import { pair, said } from './language.js';
import { makeshift } from './wish.js';
import { button, status } from './manage-access.js';

export function section({ id }) {
  const { line, tell, wish } = status();
  const hooks = make('div', { class: 'place', id: 'webhooks' });
  const path = `/api/v1/sites/${encodeURIComponent(id)}/webhooks`;

  function card(hook) {
    const [from, to] = [true, false].map(required => make('input', { type: 'datetime-local', required }));
    let mine = makeshift(); // the same wish until another time is asked for
    for (const control of [from, to]) control.addEventListener('input', () => { mine = makeshift(); });
    const again = button('access.replay', async () => {
      if (!from.reportValidity()) return;
      const body = { from: from.value, ...(to.value && { to: to.value }) };
      const { queued } = await wish(`${path}/${encodeURIComponent(hook.id)}/replay`, { method: 'POST', body, more: { 'idempotency-key': mine } });
      tell('done', said('access.queued', { count: queued }));
    });
    return make('div', { class: 'card' }, make('h3', { translate: 'no', lang: 'en' }, hook.id),
      make('p', {}, said('access.told'), ' ', make('code', { lang: 'en' }, hook.events.join(', '))),
      make('div', { class: 'fields' }, field('from', pair('access.from'), from), field('to', pair('access.to'), to)), make('div', { class: 'adding' }, again));
  }

  const begin = async () => {
    const found = await wish(path);
    hooks.replaceChildren(...(found.length ? found.map(card) : [make('p', { class: 'card' }, said('access.no-webhooks'))]));
  };
  begin().catch(() => {});
  return [line, hooks];
}
