// Keys for the owner's programs: made, shown once, and revoked.
import { make } from './paihao.js';
import { field } from './manage-fields.js';
import { pair, said } from './language.js';
import { makeshift } from './wish.js';
import { bold, button, concerns, may, scope, status, twice } from './manage-access.js';

export function section({ id, draft }) {
  const { line, tell, wish } = status();
  const [keys, making] = [make('ul', { class: 'rows', id: 'keys' }), make('div', { class: 'card', id: 'making' })];

  async function list() {
    const ours = (await wish('/api/v1/staff')).keys.filter(concerns(id));
    keys.replaceChildren(...(ours.length ? ours.map(key => make('li', { class: 'one' },
      make('span', {}, bold(key.name), ' ', make('code', { translate: 'no' }, key.id), ' · ', may(key, draft, 'program')),
      twice('access.revoke', 'access.revoke.sure', key.name, async () => {
        await wish(`/api/v1/keys/${encodeURIComponent(key.id)}`, { method: 'DELETE' });
        tell('done', bold(key.name), ' ', said('access.revoked'));
        await list();
      }))) : [make('li', {}, said('access.no-keys'))]));
  }

  function form(me) {
    const name = make('input', { maxlength: 40, autocomplete: 'off', required: true });
    const chosen = scope({ id, draft, me, whole: 'program' });
    let mine = makeshift(); // the same wish until it was answered
    const shown = make('div', { class: 'secret' });
    const open = button('access.make', async () => {
      if (!name.reportValidity()) return;
      let made;
      try {
        made = await wish('/api/v1/keys', { method: 'POST', body: { name: name.value.trim(), ...chosen.chosen() }, more: { 'idempotency-key': mine } });
      } catch (refusal) {
        if (!refusal.passing) mine = makeshift();
        await list();
        throw refusal;
      }
      mine = makeshift();
      name.value = '';
      tell('');
      const secret = make('input', { readonly: true, value: made.key, class: 'made', lang: 'en', translate: 'no' });
      secret.addEventListener('focus', () => secret.select());
      shown.replaceChildren(field('made', pair('access.secret'), secret), make('div', { class: 'adding' }, button('access.kept', async () => shown.replaceChildren())));
      secret.focus();
      await list();
    }, 'primary');
    making.replaceChildren(said('access.key', {}, 'h3'), field('key.name', pair('access.program.name'), name), ...chosen.fields, make('div', { class: 'adding' }, open), shown);
  }

  const begin = async () => {
    form(await wish('/api/v1/me'));
    await list();
  };
  begin().catch(() => {});
  return [line, make('div', { class: 'card' }, keys), making];
}
