// A Helm chart: its configuration is the chart's Chart.yaml as JSON.

import { definitions, h, table } from './dom.js';
import { t } from './words.js';
import { panel } from './parts.js';

function text(value) {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function link(value) {
  return /^https?:\/\//.test(text(value))
    ? h('a', { href: value, rel: 'noopener noreferrer', target: '_blank' }, text(value))
    : text(value);
}

export function chartOf(chart) {
  const maintainers = Array.isArray(chart.maintainers) ? chart.maintainers : [];
  const needed = (Array.isArray(chart.dependencies) ? chart.dependencies : [])
    .filter((one) => one && typeof one === 'object');
  const list = needed.length > 0 && table(t('chart.dependencies'), [{ label: t('chart.name') },
    { label: t('chart.version') }, { label: t('chart.repository') }], needed.map((one) => [
    text(one.name), text(one.version), text(one.repository)]), { className: 'list' });
  return panel(t('chart.title'), definitions([
    [t('chart.name'), text(chart.name)],
    [t('chart.version'), text(chart.version)],
    [t('chart.app'), text(chart.appVersion)],
    [t('chart.description'), text(chart.description)],
    [t('chart.type'), text(chart.type)],
    [t('chart.kube'), text(chart.kubeVersion)],
    [t('chart.home'), link(chart.home)],
    [t('chart.keywords'), Array.isArray(chart.keywords) && chart.keywords.map(text).join(', ')],
    [t('chart.maintainers'), maintainers.map((one) => text(one && one.name)).filter((name) => name)
      .join(', ')],
  ]), list && h('h3', null, t('chart.dependencies')), list);
}
