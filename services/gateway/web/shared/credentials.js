// With what staff ask: the session of this browser, or a key that this window holds.
import { ask, asSomebodyElse, giveUp, site, toLogin } from './paihao.js';

const KEPT = `paihao-staff-key/${site}`;

/** In a demo the address brings the key; it must not stay there. */
export function takeFromAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get('key');
  if (!key) return;
  sessionStorage.setItem(KEPT, key);
  history.replaceState(null, '', location.pathname + location.search);
}

const held = () => sessionStorage.getItem(KEPT) !== null;

/** Whether a "no" is about who asks. */
export const isAboutWho = ({ code }) => ['unauthorised', 'not_your_site'].includes(code);

/** Nobody whom the server lets in here: they log in, or hear that they work elsewhere. */
export function turnedAway(refusal) {
  sessionStorage.removeItem(KEPT);
  if (refusal.code === 'unauthorised') toLogin();
  else giveUp(refusal, asSomebodyElse());
}

/** Ends the session, or forgets the key; and on to the next who logs in. */
export async function signOut() {
  if (!held()) await ask('/api/v1/me/sessions/current', { method: 'DELETE' }).catch(() => {});
  sessionStorage.removeItem(KEPT);
  toLogin();
}

/** What a request carries; a session's cookie goes with it by itself. */
export const headers = () => ({ 'x-paihao-page': '1', ...(held() && { authorization: `Bearer ${sessionStorage.getItem(KEPT)}` }) });
