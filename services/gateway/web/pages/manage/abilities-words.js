// Texts of what an account may do, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'abilities.title': ['这个公众号能做什么', 'What this account may do'],
  'abilities.doctor': ['公开地址、https 和时钟，体检会看', 'The doctor looks at the public address, https and the clock'],
  'abilities.ask': ['问一下微信', 'Ask WeChat'],
  'abilities.again': ['再问一次', 'Ask again'],
  'abilities.asking': ['正在问微信…', 'Asking WeChat…'],
  'abilities.yes': ['可以', 'Yes'],
  'abilities.no': ['不可以', 'No'],
  'abilities.unknown': ['微信没说', 'WeChat did not tell'],
  'abilities.codes': ['带参数的二维码', 'QR codes with a scene'],
  'abilities.codes.yes': ['扫码就能取号', 'A scan takes a number'],
  'abilities.codes.no': ['只有认证的服务号和测试号有。没有也行：在「公众号」里把二维码改成打开网页，或者让顾客发「取号」；或先用测试号', 'Only verified service accounts and test accounts have them. Go on without: let the codes lead to a page (under Account), let people write a keyword, or begin with a test account'],
  'abilities.templates': ['模板消息', 'Template messages'],
  'abilities.templates.yes': ['叫号时发到顾客的微信', 'Calls reach people in WeChat'],
  'abilities.templates.no': ['只有认证的服务号和测试号有。没有也行：叫号显示在大屏和号码页上，扫码后一分钟内还能发文字', 'Only verified service accounts and test accounts have them. Go on without: calls are on the board and on each person’s page, and a text may follow within a minute of the scan'],
  'abilities.menu': ['用接口做菜单', 'A menu by the API'],
  'abilities.menu.yes': ['在「菜单」里编好就能推送', 'Edit it under Menu and push it'],
  'abilities.menu.no': ['未认证的订阅号没有。没有也行：顾客扫码、发关键词或打开页面取号', 'Subscription accounts that are not verified have none. Go on without: people scan, write a keyword or open the page'],
  'abilities.customer_service': ['客服消息', 'Customer-service messages'],
  'abilities.customer_service.yes': ['扫码后一分钟内、发消息后两天内可以发文字', 'A text may follow within a minute of a scan, and for two days after a message'],
  'abilities.customer_service.no': ['未认证的公众号没有。没有也行：扫码的当场回复照常，之后的通知靠模板', 'Accounts that are not verified have none. Go on without: the reply to a scan works, and later notices need templates'],
});
