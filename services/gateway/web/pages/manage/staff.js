// Section of staff: members with their scopes and sessions, and invitations by a code to scan.
/** @import { SectionContext } from '../../shared/types' */
import { subscribe } from '../../shared/sse.js';
import { createElement } from '../../shared/dom.js';
import { formatTime, formatDateTime, toAsciiDigits } from '../../shared/format.js';
import { translations, setTextPair, textElement } from '../../shared/language.js';
import { authHeaders } from '../../shared/credentials.js';
import { field } from './fields.js';
import { formerStaffCard } from './former-staff.js';
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
  const [memberList, invitation, openList] = [
    createElement('ul', { class: 'rows', id: 'members' }),
    createElement('div', { class: 'card', id: 'invitation' }),
    createElement('div', { class: 'card', id: 'open-invitations', hidden: true }),
  ];

  const former = formerStaffCard(request, showStatus);

  async function renderMembers(me) {
    const [{ members, keys }, open] = await Promise.all([
      request('/api/v1/staff'),
      request('/api/v1/invitations'),
      former.render(),
    ]);
    const here = members.filter(concernsSite(id));
    memberList.replaceChildren(
      ...(here.length
        ? here.map(member => memberRow(me, member, keys, open))
        : [createElement('li', {}, textElement('access.nobody'))]),
    );
    openList.hidden = open.length === 0;
    openList.replaceChildren(
      textElement('access.open', {}, 'h3'),
      createElement(
        'ul',
        { class: 'rows' },
        open.map(one => openRow(me, one)),
      ),
    );
  }

  function openRow(me, { uuid, member, expires_at: expiresAt }) {
    return createElement(
      'li',
      { class: 'one' },
      createElement(
        'span',
        {},
        nameElement(member.name),
        ' · ',
        describeScope(member, draft),
        ' · ',
        textElement('access.open.until', { time: formatTime(expiresAt) }),
      ),
      actionButton('access.cancel', async () => {
        await request(`/api/v1/invitations/${uuid}`, { method: 'DELETE' });
        await renderMembers(me);
      }),
    );
  }

  /** What ends with a member: the keys that they made and the invitations that they gave. */
  function endingWith(member, keys, open) {
    const of = (list, by) => list.filter(one => one[by] === member.id);
    const parts = [
      ...of(keys, 'made_by').map(key => textElement('access.ends.key', { name: key.name }, 'li')),
      ...of(open, 'by').map(one =>
        textElement('access.ends.invitation', { name: one.member.name }, 'li'),
      ),
    ];
    return (
      parts.length > 0 &&
      createElement(
        'div',
        { class: 'ends' },
        textElement('access.ends'),
        createElement('ul', {}, parts),
      )
    );
  }

  function memberRow(me, member, keys, open) {
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
      !isOwnRow && endingWith(member, keys, open),
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
        renderMembers(me).catch(() => {});
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
        const confirmation = createElement('form', { class: 'adding', hidden: true });
        const digits = createElement('input', {
          class: 'digits',
          inputmode: 'numeric',
          maxlength: 4,
          autocomplete: 'off',
          required: true,
        });
        const seen = createElement('p', { class: 'seen', role: 'status' });
        confirmation.append(
          field('digits', translations('access.digits'), digits),
          setTextPair(
            createElement('button', { class: 'primary', type: 'submit' }),
            translations('access.confirm'),
          ),
        );
        confirmation.addEventListener('submit', event => {
          event.preventDefault();
          const body = { digits: toAsciiDigits(digits.value) };
          digits.value = '';
          request(created.confirm, { method: 'POST', body }).catch(() => {});
        });
        const cancel = actionButton('access.cancel', () =>
          request(`/api/v1/invitations/${created.uuid}`, { method: 'DELETE' }),
        );
        shown.append(seen, confirmation, createElement('div', { class: 'adding' }, cancel));
        unsubscribe = subscribe(
          created.events,
          {
            scanned: ({ tag, at }) => {
              const time = formatTime(at);
              setTextPair(seen, translations('access.scanned', { time, tag }));
              if (!confirmation.hidden) return;
              confirmation.hidden = false;
              digits.focus();
            },
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
  return [
    line,
    createElement('div', { class: 'card' }, memberList),
    openList,
    invitation,
    former.card,
  ];
}
