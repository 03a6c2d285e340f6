// Texts of the hints about a callback address, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'address.private': ['这是内网地址，微信到不了：需要一个解析到这台服务器的公网域名（gateway.public，或用 paihao --domain 启动）', 'This address is a private one, which WeChat cannot reach: use a domain name that leads to this machine (gateway.public, or start with paihao --domain)'],
  'address.port': ['微信只推送到 80 和 443 端口：让服务监听 443，或在前面放反向代理', 'WeChat pushes to the ports 80 and 443 only: listen on 443, or put a reverse proxy in front'],
  'address.http': ['不是 https：页面和推送会被人看到，手机上有的功能不能用；用 paihao --domain 启动会自动取得证书', 'Not https: others can read pages and pushes, and some functions of phones do not work. Started with paihao --domain it gets a certificate by itself'],
});
