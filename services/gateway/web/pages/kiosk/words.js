// Texts of the kiosk, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'kiosk.title': ['取号', 'Take a number'],
  'kiosk.choose': ['请选择业务', 'What do you need?'],
  'kiosk.closed': ['现在不取号', 'Closed now'],
  'kiosk.scan': ['打开微信「扫一扫」，扫码取号', 'Scan with WeChat to take a number'],
  'kiosk.code': ['取号二维码', 'QR code to take a number'],
  'kiosk.back': ['选择其他业务', 'Other services'],
  'kiosk.scanned': ['已扫码…', 'Scanned…'],
  'kiosk.no-queue': ['没有这个业务', 'There is no such queue'],
  'kiosk.taken': ['取号成功', 'Your number'],
  'kiosk.first': ['前面没有人', 'You are next'],
  'kiosk.ahead': ['前面 {count} 位', '{count} ahead of you'],
  'kiosk.minutes.short': ['预计不到 5 分钟', 'less than 5 minutes'],
  'kiosk.minutes.long': ['预计 60 分钟以上', 'more than an hour'],
  'kiosk.minutes': ['预计 {low}–{high} 分钟', 'about {low}–{high} minutes'],
  'kiosk.told': ['轮到您时，微信会通知您', 'WeChat will tell you when it is your turn'],
  'kiosk.next': ['下一位取号', 'Next person'],
});
