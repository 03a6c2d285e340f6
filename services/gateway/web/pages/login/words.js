// Texts of the login page, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'login.title': ['扫码登录', 'Log in by scanning'],
  'login.to': ['登录到', 'Log in to'],
  'login.code': ['登录二维码', 'QR code to log in with'],
  'login.scan': ['打开微信「扫一扫」，扫码登录', 'Scan with WeChat to log in'],
  'login.scanned': ['已扫码', 'Scanned'],
  'login.confirm': ['请在手机微信里回复 1 确认', 'Now answer 1 in WeChat on your phone'],
  'login.digits.asked': ['已扫码，请看手机微信里的数字', 'Scanned: see the digits in WeChat on your phone'],
  'login.digits': ['手机上的数字', 'Digits on the phone'],
  'login.unionid': ['该网站会收到您的 unionid', 'The site is told your unionid'],
  'login.in': ['登录成功，正在进入…', 'Logged in, one moment…'],
  'login.over': ['没有登录', 'Not logged in'],
  'login.idle': ['二维码已过期', 'The code has expired'],
  'login.again': ['换一个二维码', 'A new code'],
  'login.first.lead': ['还没有可用的公众号？先用这个浏览器管理，公众号接好后再用这个链接扫码', 'No Official Account works yet? Begin in this browser, and scan by such a link once one does'],
  'login.first.here': ['在这个浏览器里成为管理员', 'Become the manager in this browser'],
  'login.cancel': ['取消', 'Cancel'],
  'login.with-key': ['用密钥登录', 'Use a key instead'],
  'login.key': ['密钥', 'Key'],
  'login.key.wrong': ['密钥不对，请再输入', 'The key is not right'],
  'login.enter': ['登录', 'Log in'],
});
