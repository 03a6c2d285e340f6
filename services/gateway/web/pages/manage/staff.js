// Section of staff: members with their scopes and sessions, and invitations by a code to scan.
/** @import { SectionContext } from '../../shared/types' */
import { subscribe } from '../../shared/sse.js';
import { createElement } from '../../shared/dom.js';
import { formatTime, formatDateTime } from '../../shared/format.js';
import { translations, setTextPair, textElement } from '../../shared/language.js';
import { authHeaders } from '../../shared/credentials.js';
import { field } from './fields.js';
import {
  statusLine,
  actionButton,
  confirmButton,
  scopeFields,
  nameElement,
  describeScope,
  concernsSite,
} from './access.js';

/** Ends the subscription of the invitation that is shown. */
let unsubscribe = () => {};

/** @param {SectionContext} context */
export function section({ id, draft }) {
  unsubscribe();
  const { line, showStatus, request } = statusLine();
  const [memberList, invitation] = [
    createElement('ul', { class: 'rows', id: 'members' }),
    createElement('div', { class: 'card', id: 'invitation' }),
  ];

  async function renderMembers(me) {
    const { members } = await request('/api/v1/staff');
    const here = members.filter(concernsSite(id));
    memberList.replaceChildren(
      ...(here.length
        ? here.map(member => memberRow(me, member))
        : [createElement('li', {}, textElement('access.nobody'))]),
    );
  }

  function memberRow(me, member) {
    const path = `/api/v1/staff/${encodeURIComponent(member.id)}`;
    const isOwnRow = member.id === me.id;
    const chosen = scopeFields({ id, draft, me, current: member });
    const save = actionButton('access.save', async () => {
      const { sites, counters } = chosen.chosen();
      await request(path, {
        method: 'PATCH',
        body: { role: chosen.kind() === 'counters' ? 'staff' : 'manager', sites, counters },
      });
      showStatus('done', nameElement(member.name), ' ', textElement('access.changed'));
      await renderMembers(me);
    });
    const sessions = createElement('ul', { class: 'rows' });
    const logins = createElement(
      'details',
      {},
      textElement('access.logins', {}, 'summary'),
      sessions,
    );
    const loadSessions = async () => {
      const listed = await request(`${path}/sessions`);
      sessions.replaceChildren(
        ...(listed.length
          ? listed.map(session =>
              createElement(
                'li',
                { class: 'one' },
                createElement(
                  'span',
                  {},
                  createElement('span', { lang: 'en' }, `${session.browser} · ${session.address}`),
                  ' ',
                  textElement(session.current ? 'access.here' : 'access.since', {
                    begun: formatDateTime(session.begun_at),
                  }),
                ),
                actionButton('access.end', async () => {
                  await request(`${path}/sessions/${session.id}`, { method: 'DELETE' });
                  await loadSessions();
                }),
              ),
            )
          : [createElement('li', {}, textElement('access.no-logins'))]),
      );
    };
    logins.addEventListener('toggle', () => {
      if (logins.open) loadSessions().catch(() => {});
    });
    return createElement(
      'li',
      { class: 'member' },
      createElement(
        'div',
        { class: 'one' },
        createElement('span', {}, nameElement(member.name), ' · ', describeScope(member, draft)),
        !isOwnRow &&
          confirmButton('access.remove', 'access.remove.sure', member.name, async () => {
            await request(path, { method: 'DELETE' });
            showStatus('done', nameElement(member.name), ' ', textElement('access.removed'));
            await renderMembers(me);
          }),
      ),
      !isOwnRow &&
        createElement(
          'details',
          {},
          textElement('access.change', {}, 'summary'),
          chosen.fields,
          createElement('div', { class: 'adding' }, save),
        ),
      logins,
    );
  }

  function renderInvitation(me) {
    const name = createElement('input', { maxlength: 40, autocomplete: 'off', required: true });
    const chosen = scopeFields({ id, draft, me });
    const shown = createElement('div', { class: 'invited' });
    const inviteButton = actionButton(
      'access.invite.show',
      async () => {
        if (!name.reportValidity()) return;
        const { sites, counters } = chosen.chosen();
        const invited = name.value.trim();
        const created = await request('/api/v1/invitations', {
          method: 'POST',
          body: {
            name: invited,
            role: chosen.kind() === 'counters' ? 'staff' : 'manager',
            sites,
            counters,
          },
        });
        const svg = await fetch(created.qr_svg, { headers: authHeaders() }).then(response =>
          response.text(),
        );
        unsubscribe();
        const endInvitation = (kind, key) => {
          unsubscribe();
          shown.replaceChildren();
          showStatus(kind, nameElement(invited), ' ', textElement(key));
          renderMembers(me).catch(() => {});
        };
        name.value = '';
        showStatus('');
        const picture = createElement('img', {
          id: 'code',
          src: `data:image/svg+xml,${encodeURIComponent(svg)}`,
          alt: translations('access.code').join(' '),
        });
        shown.replaceChildren(
          createElement(
            'p',
            {},
            nameElement(invited),
            ' · ',
            describeScope({ sites, counters }, draft),
          ),
          picture,
          textElement('access.scan', { time: formatTime(created.expires_at) }, 'p'),
          ...(created.scan_link
            ? [
                setTextPair(
                  createElement('a', {
                    id: 'phone',
                    class: 'button',
                    target: '_blank',
                    rel: 'noopener',
                    href: created.scan_link,
                  }),
                  translations('kiosk.phone'),
                ),
              ]
            : []),
        );
        unsubscribe = subscribe(
          created.events,
          {
            approved: () => endInvitation('done', 'access.joined'),
            refused: () => endInvitation('refused', 'access.unused'),
            expired: () => endInvitation('refused', 'access.unused'),
          },
          (_, error) => {
            if (error && !error.retryable) endInvitation('refused', 'access.unused');
          },
          { headers: authHeaders },
        );
      },
      'primary',
    );
    invitation.replaceChildren(
      textElement('access.invite', {}, 'h3'),
      field('invited.name', translations('access.name'), name),
      ...chosen.fields,
      createElement('div', { class: 'adding' }, inviteButton),
      shown,
    );
  }

  const start = async () => {
    const me = await request('/api/v1/me');
    renderInvitation(me);
    await renderMembers(me);
  };
  start().catch(() => {});
  return [line, createElement('div', { class: 'card' }, memberList), invitation];
}
