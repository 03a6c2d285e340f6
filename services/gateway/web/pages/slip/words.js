// Texts of the slip, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'slip.title': ['小票', 'Slip'],
  'slip.number': ['您的号码', 'Your number'],
  'slip.ahead': ['前面 {count} 位', '{count} ahead of you'],
  'slip.first': ['前面没有人', 'You are next'],
  'slip.minutes': ['取号时预计 {low}–{high} 分钟', 'about {low}–{high} min from then'],
  'slip.minutes.short': ['取号时预计不到 5 分钟', 'under 5 min from then'],
  'slip.minutes.long': ['取号时预计 60 分钟以上', 'over an hour from then'],
  'slip.scan': ['扫码看进度', 'Scan to follow'],
  'slip.watch': ['请看大屏，听叫号', 'Please watch the board'],
  'slip.print': ['打印', 'Print'],
});
