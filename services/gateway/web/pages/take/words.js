// Texts of the page that a code leads to, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'take.take': ['取号', 'Take a number'],
  'take.mine': ['查看我的号码', 'Show my number'],
  'take.page': ['号码在这个页面里查看，请不要关闭', 'Your number is on the page that opens: keep it'],
  'take.wechat': ['想在微信里收到通知，请在公众号的菜单里扫这个码，或给公众号发送「取号」', 'To be told in WeChat, scan this code from the menu of the account, or write to it'],
  'take.menu': ['请在公众号的菜单里用「扫一扫」扫这个码', 'Scan this code from the menu of the account in WeChat'],
});
