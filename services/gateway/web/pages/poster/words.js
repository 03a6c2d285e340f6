// Texts of a poster, added to those of all pages. The sheet holds them without any script, too.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'poster.title': ['门口海报', 'Poster for the door'],
  'poster.lead': ['A4，贴在门口，顾客扫码取号', 'A4: put it up, and customers scan it for a number'],
  'poster.print': ['打印', 'Print'],
  'poster.rehearsal': ['彩排，请勿张贴', 'Rehearsal: do not put up'],
  'poster.do': ['微信扫码取号', 'Scan with WeChat to take a number'],
  'poster.code': ['取号二维码', 'QR code to take a number'],
  'poster.step.1': ['打开微信扫一扫', 'Open WeChat and scan the code'],
  'poster.step.2': ['马上收到号码和等候时间', 'Your number and the wait, at once'],
  'poster.step.3': ['轮到您时，微信通知您', 'WeChat tells you when it is your turn'],
  'poster.step.page': ['看着页面，轮到您时前往；从公众号菜单扫码，微信会通知您', 'Keep the page open; scanned from the menu of the account, WeChat tells you'],
  'poster.free': ['不用站着等，号码一直在您的微信里', 'No need to stand in line: your number is in WeChat'],
});
