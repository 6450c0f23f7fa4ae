/** What n2words gives for a language. */
interface Words {
  toCardinal (value: number | string | bigint): string
  toOrdinal (value: number | bigint): string
  toCurrency (value: number | string): string
}

/** Languages whose numbers are written out, and how n2words names them. */
const LOCALES = new Map(
  ('ar-SA cs-CZ da-DK de-DE el-GR en-US es-ES fi-FI fr-FR he-IL hi-IN hu-HU id-ID it-IT ja-JP ' +
    'ko-KR nb-NO nl-NL pl-PL pt-PT ro-RO ru-RU sv-SE th-TH tr-TR uk-UA vi-VN').split(' ').map(name => [name.slice(0, 2), name]))
/** Digits in a row that are a number of a telephone or a card, not of things. */
const LONG = 7

/** Writes the numbers of a text out. */
export type NumberWriter = (text: string) => string

/** What writes numbers out in a language; leaves texts in languages that are not known here alone. */
export async function loadNumbers (language: string): Promise<NumberWriter> {
  const locale = LOCALES.get(language)
  if (locale === undefined) return text => text
  const words = await import(`n2words/${locale}`) as Words
  return language === 'en' ? writeEnglish(words) : writePlain(words)
}

/** Whole numbers and decimals that stand alone, with the separators of the continent: 1.234,5 and 1 234,5; no ordinals such as 3. */
function writePlain ({ toCardinal }: Words): NumberWriter {
  return text => text.replace(/(?<![\p{L}\p{N}.,:/_-])-?\d{1,3}(?:[.\u00a0\u202f]\d{3})+(?:,\d+)?(?![\p{L}\p{N}_/:]|[.,]\d)|(?<![\p{L}\p{N}.,:/_-])-?\d+(?:,\d+)?(?![\p{L}\p{N}_/:]|[.,]\d|\.\s+\p{L})/gu, number => {
    const plain = number.replace(/[.\u00a0\u202f]/g, '').replace(',', '.')
    return isCode(plain) ? number : toCardinal(plain)
  })
}

function writeEnglish ({ toCardinal, toOrdinal, toCurrency }: Words): NumberWriter {
  const value = (number: string) => number.replaceAll(',', '')
  const cardinal = (number: string) => toCardinal(value(number))
  const NUMBER = '\\d{1,3}(?:,\\d{3})+(?:\\.\\d+)?|\\d+(?:\\.\\d+)?'
  const before = '(?<![\\p{L}\\p{N}.,:/_-])'
  const after = '(?![\\p{L}\\p{N}_/:]|[.,]\\d)'
  const pattern = (body: string) => new RegExp(before + body + after, 'gu')

  const rules: [RegExp, (...match: string[]) => string][] = [
    [pattern(`\\$(${NUMBER})(?: (thousand|million|billion|trillion))?`), (_, number, size) =>
      size === undefined ? toCurrency(value(number!)) : `${cardinal(number!)} ${size} dollars`],
    [pattern(`([€£])(${NUMBER})`), (_, sign, number) => `${cardinal(number!)} ${sign === '€' ? 'euro' : 'pound'}${number === '1' ? '' : 's'}`],
    [pattern(`(${NUMBER}) ?%`), (_, number) => `${cardinal(number!)} percent`],
    [pattern('(\\d{1,2}):(\\d{2})(?: ?([ap])\\.?m\\b\\.?)?'), (all, hour, minute, half) => {
      if (Number(hour) > 24 || Number(minute) > 59) return all!
      const minutes = minute === '00' ? (half === undefined ? ' o\'clock' : '') : minute!.startsWith('0') ? ` oh ${cardinal(minute![1]!)}` : ` ${cardinal(minute!)}`
      return `${cardinal(hour!)}${minutes}${half === undefined ? '' : ` ${half} m`}`
    }],
    [pattern('(\\d{1,3})[-–](\\d{1,3})(?!-)'), (all, from, to) => Number(from) < Number(to) ? `${cardinal(from!)} to ${cardinal(to!)}` : all!],
    [pattern('(\\d+)(?:st|nd|rd|th)'), (_, number) => toOrdinal(Number(number))],
    [pattern('(1[1-9]|20[1-9])(\\d{1,2})s?'), (all, century, rest) => {
      if (`${century}${rest}`.length !== 4 || all!.endsWith('s')) return all!
      return year(`${century}${rest}`)
    }],
    [pattern(`-?(?:${NUMBER})`), number => isCode(number!) ? [...number!].join(' ') : cardinal(number!)]
  ]
  return text => rules.reduce((text, [pattern, write]) => text.replace(pattern, (...match) => write(...match)), text)

  /** Four digits as people say them of a year: nineteen eighty-four. */
  function year (digits: string): string {
    const [century, rest] = [digits.slice(0, 2), digits.slice(2)]
    if (rest === '00') return `${cardinal(century)} hundred`
    return `${cardinal(century)} ${rest.startsWith('0') ? `oh ${cardinal(rest[1]!)}` : cardinal(rest)}`
  }
}

/** Said digit by digit: nobody counts so far, and nothing that is counted begins with 0. */
function isCode (number: string): boolean {
  return /^\d+$/.test(number) && (number.length >= LONG || (number.length > 1 && number.startsWith('0')))
}
