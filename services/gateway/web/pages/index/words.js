// Texts of the list of sites, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'index.none': ['还没有门店', 'There is no site yet'],
  'index.begin': ['新建门店', 'Set one up'],
  'index.kiosk': ['取号', 'Kiosk'],
  'index.board': ['大屏', 'Board'],
  'index.console': ['叫号', 'Console'],
  'index.manage': ['管理', 'Manage'],
  'index.poster': ['海报', 'Poster'],
});
