/** One line of a page of metrics. */
export interface Sample { name: string, labels: Record<string, string>, value: number }

/** The samples of a page in Prometheus' text format. */
export function samplesOf (page: string): Sample[] {
  return page.split('\n').filter(line => line !== '' && !line.startsWith('#')).map(line => {
    const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line)!
    return { name: name!, value: Number(value), labels: Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text])) }
  })
}

/** Types of the metrics of a page, by name. */
export function typesOf (page: string): Map<string, string> {
  return new Map([...page.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => [name!, type!]))
}
