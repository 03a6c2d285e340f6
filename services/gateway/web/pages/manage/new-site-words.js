// Texts of the form that sets up a site, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'new-site': ['新门店', 'A new site'],
  'new-site.lead': ['选一个行业，几项就好；以后都可以改', 'Choose a trade and a few things; everything can be changed later'],
  'new-site.name': ['名称', 'Name'],
  'new-site.trade': ['行业', 'Trade'],
  'new-site.account': ['公众号', 'Official Account'],
  'new-site.services': ['办理的业务（每行一项）', 'Services (one a line)'],
  'new-site.counters': ['几个窗口', 'Number of counters'],
  'new-site.rules': ['这个行业的规则', 'Rules of this trade'],
  'new-site.id': ['网址里的名字', 'Name in addresses'],
  'new-site.make': ['建好门店', 'Set the site up'],
  'new-site.no-account': ['还没有公众号：先加一个，门店用它的二维码取号', 'There is no Official Account yet: add one, whose codes give the numbers'],
});
