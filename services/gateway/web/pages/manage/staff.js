// Who works here: invited by scanning, given something else to do, out again; and where they are logged in.
import { clock, hear, make, stamp } from './paihao.js';
import { headers } from './key.js';
import { field } from './manage-fields.js';
import { pair, put, said } from './language.js';
import { bold, button, concerns, may, scope, status, twice } from './manage-access.js';

let stop = () => {};

export function section({ id, draft }) {
  stop();
  const { line, tell, wish } = status();
  const [people, invitation] = [make('ul', { class: 'rows', id: 'members' }), make('div', { class: 'card', id: 'invitation' })];

  async function list(me) {
    const { members } = await wish('/api/v1/staff');
    const ours = members.filter(concerns(id));
    people.replaceChildren(...(ours.length ? ours.map(member => row(me, member)) : [make('li', {}, said('access.nobody'))]));
  }

  function row(me, member) {
    const path = `/api/v1/staff/${encodeURIComponent(member.id)}`;
    const own = member.id === me.id;
    const chosen = scope({ id, draft, me, was: member });
    const save = button('access.save', async () => {
      const { sites, counters } = chosen.chosen();
      await wish(path, { method: 'PATCH', body: { role: chosen.kind() === 'counters' ? 'staff' : 'manager', sites, counters } });
      tell('done', bold(member.name), ' ', said('access.changed'));
      await list(me);
    });
    const sessions = make('ul', { class: 'rows' });
    const logins = make('details', {}, said('access.logins', {}, 'summary'), sessions);
    const look = async () => {
      const found = await wish(`${path}/sessions`);
      sessions.replaceChildren(...(found.length ? found.map(session => make('li', { class: 'one' },
        make('span', {}, make('span', { lang: 'en' }, `${session.browser} · ${session.address}`), ' ', said(session.current ? 'access.here' : 'access.since', { begun: stamp(session.begun_at) })),
        button('access.end', async () => {
          await wish(`${path}/sessions/${session.id}`, { method: 'DELETE' });
          await look();
        }))) : [make('li', {}, said('access.no-logins'))]));
    };
    logins.addEventListener('toggle', () => { if (logins.open) look().catch(() => {}); });
    return make('li', { class: 'member' },
      make('div', { class: 'one' }, make('span', {}, bold(member.name), ' · ', may(member, draft)),
        !own && twice('access.remove', 'access.remove.sure', member.name, async () => {
          await wish(path, { method: 'DELETE' });
          tell('done', bold(member.name), ' ', said('access.removed'));
          await list(me);
        })),
      !own && make('details', {}, said('access.change', {}, 'summary'), chosen.fields, make('div', { class: 'adding' }, save)), logins);
  }

  function inviting(me) {
    const name = make('input', { maxlength: 40, autocomplete: 'off', required: true });
    const chosen = scope({ id, draft, me });
    const shown = make('div', { class: 'invited' });
    const open = button('access.invite.show', async () => {
      if (!name.reportValidity()) return;
      const { sites, counters } = chosen.chosen();
      const invited = name.value.trim();
      const opened = await wish('/api/v1/invitations', { method: 'POST', body: { name: invited, role: chosen.kind() === 'counters' ? 'staff' : 'manager', sites, counters } });
      const drawn = await fetch(opened.qr_svg, { headers: headers() }).then(answer => answer.text());
      stop();
      const over = (kind, key) => {
        stop();
        shown.replaceChildren();
        tell(kind, bold(invited), ' ', said(key));
        list(me).catch(() => {});
      };
      name.value = '';
      tell('');
      const picture = make('img', { id: 'code', src: `data:image/svg+xml,${encodeURIComponent(drawn)}`, alt: pair('access.code').join(' ') });
      shown.replaceChildren(make('p', {}, bold(invited), ' · ', may({ sites, counters }, draft)), picture, said('access.scan', { time: clock(opened.expires_at) }, 'p'),
        ...(opened.scan_link ? [put(make('a', { id: 'phone', class: 'button', target: '_blank', rel: 'noopener', href: opened.scan_link }), pair('kiosk.phone'))] : []));
      stop = hear(opened.events, {
        approved: () => over('done', 'access.joined'), refused: () => over('refused', 'access.unused'), expired: () => over('refused', 'access.unused'),
      }, (connected, refusal) => { if (refusal && !refusal.passing) over('refused', 'access.unused'); }, { headers });
    }, 'primary');
    invitation.replaceChildren(said('access.invite', {}, 'h3'), field('invited.name', pair('access.name'), name), ...chosen.fields, make('div', { class: 'adding' }, open), shown);
  }

  const begin = async () => {
    const me = await wish('/api/v1/me');
    inviting(me);
    await list(me);
  };
  begin().catch(() => {});
  return [line, make('div', { class: 'card' }, people), invitation];
}
