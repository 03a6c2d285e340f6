// The words of logging in and of one's logins, added to the table of all pages.
import { WORDS } from './words.js';

Object.assign(WORDS, {
  'login.title': ['扫码登录', 'Log in by scanning'],
  'login.to': ['登录到', 'Log in to'],
  'login.code': ['登录二维码', 'QR code to log in with'],
  'login.scan': ['打开微信「扫一扫」，扫码登录', 'Scan with WeChat to log in'],
  'login.scanned': ['已扫码', 'Scanned'],
  'login.confirm': ['请在手机微信里回复 1 确认', 'Now answer 1 in WeChat on your phone'],
  'login.in': ['登录成功，正在进入…', 'Logged in, one moment…'],
  'login.over': ['没有登录', 'Not logged in'],
  'login.idle': ['二维码已过期', 'The code has expired'],
  'login.again': ['换一个二维码', 'A new code'],
  'login.cancel': ['取消', 'Cancel'],
  'login.with-key': ['用密钥登录', 'Use a key instead'],
  'login.key': ['密钥', 'Key'],
  'login.key.wrong': ['密钥不对，请再输入', 'The key is not right'],
  'login.enter': ['登录', 'Log in'],

  'me.sign-out': ['退出', 'Sign out'],
  'me.title': ['我的登录', 'My logins'],
  'me.sessions': ['已登录的浏览器', 'Browsers that are logged in'],
  'me.here': ['就是这个浏览器，{begun} 登录', 'this browser, since {begun}'],
  'me.since': ['{begun} 登录，{seen} 用过', 'since {begun}, last used {seen}'],
  'me.end': ['退出它', 'Log it out'],
  'me.end-others': ['退出其他所有浏览器', 'Log out all others'],
  'me.manage': ['管理门店和人员', 'Manage sites and staff'],
  'me.is.manager': ['管理员', 'Manager'],
  'me.is.staff': ['工作人员', 'Staff'],
  'me.is.api': ['程序', 'Program'],
});
