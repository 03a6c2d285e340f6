// Texts of the page of one's logins, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
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
