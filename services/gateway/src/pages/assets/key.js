// With what staff ask: the session of this browser, or a key that this window holds.
import { site } from './paihao.js';

const KEPT = `paihao-staff-key/${site}`;

/** In a demo the address brings the key; it must not stay there. */
export function takeFromAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get('key');
  if (!key) return;
  hold(key);
  history.replaceState(null, '', location.pathname + location.search);
}

export const hold = key => sessionStorage.setItem(KEPT, key);
export const drop = () => sessionStorage.removeItem(KEPT);
export const held = () => sessionStorage.getItem(KEPT) !== null;

/** What a request carries; a session's cookie goes with it by itself. */
export const headers = () => ({ 'x-paihao-page': '1', ...(held() && { authorization: `Bearer ${sessionStorage.getItem(KEPT)}` }) });
