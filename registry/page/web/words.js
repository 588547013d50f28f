// The language of the page: texts, numbers, sizes and times.

let texts = {};
let locale = 'en';
let plural = new Intl.PluralRules('en');

const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'];
const AGES = [[31536000, 'year'], [2592000, 'month'], [604800, 'week'], [86400, 'day'],
  [3600, 'hour'], [60, 'minute'], [1, 'second']];

// The languages that the page has: [{code, name, url}].
export function languages() {
  return [...document.querySelectorAll('link[rel=alternate][hreflang]')].map((link) => ({
    code: link.hreflang, name: link.title, url: link.href,
  }));
}

// The first of the wanted codes that the page has, exactly or as another form of the language.
export function choose(wanted, known) {
  for (const code of wanted) {
    const exact = known.find((one) => one.code.toLowerCase() === code.toLowerCase());
    const base = code.split('-')[0].toLowerCase();
    const close = known.find((one) => one.code.split('-')[0].toLowerCase() === base);
    if (exact || close) return exact || close;
  }
  return known.find((one) => one.code === 'en') || known[0];
}

export async function use(language) {
  const answer = await fetch(language.url, { credentials: 'omit' });
  if (!answer.ok) throw new Error(`${language.url}: ${answer.status}`);
  texts = await answer.json();
  locale = language.code;
  plural = new Intl.PluralRules(locale);
  document.documentElement.lang = locale;
  document.documentElement.dir = texts.direction || 'ltr';
}

export function currentLanguage() {
  return locale;
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
}

// The text of a key. With a number n, the plural form of the language: "tags.one", "tags.other".
export function t(key, values = {}) {
  if (typeof values.n === 'number') {
    const form = texts[`${key}.${plural.select(values.n)}`] || texts[`${key}.other`];
    if (form) return fill(form, { ...values, n: number(values.n) });
  }
  return fill(texts[key] || key, values);
}

// The text of a key with nodes in place of {name}; returns an array for dom.js.
export function parts(key, nodes) {
  return (texts[key] || key).split(/(\{\w+\})/).map((part) => {
    const found = /^\{(\w+)\}$/.exec(part);
    return found && found[1] in nodes ? nodes[found[1]] : part;
  });
}

export function has(key) {
  return key in texts;
}

export function number(value) {
  return new Intl.NumberFormat(locale).format(value);
}

export function percent(share) {
  return new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 })
    .format(share);
}

// In a text from right to left, "477 kB" and "2.1-amd64" keep their own direction.
export function isolate(text) {
  return document.documentElement.dir === 'rtl' ? `\u2068${text}\u2069` : text;
}

// Decimal units, as docker and registryd print them.
export function size(bytes) {
  if (typeof bytes !== 'number' || !Number.isFinite(bytes)) return '';
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < SIZES.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return isolate(new Intl.NumberFormat(locale, {
    style: 'unit', unit: SIZES[unit], unitDisplay: unit ? 'short' : 'long',
    maximumFractionDigits: value < 10 && unit ? 1 : 0,
  }).format(value));
}

export function age(time, now = Date.now()) {
  const seconds = Math.round((Date.parse(time) - now) / 1000);
  if (Number.isNaN(seconds)) return '';
  const format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  for (const [length, unit] of AGES) {
    if (Math.abs(seconds) >= length) return format.format(Math.trunc(seconds / length), unit);
  }
  return format.format(0, 'second');
}

export function date(time) {
  const parsed = new Date(time);
  if (Number.isNaN(parsed.getTime())) return '';
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
    .format(parsed);
}

export function sortTexts(list) {
  return list.sort(new Intl.Collator(locale, { numeric: true }).compare);
}
