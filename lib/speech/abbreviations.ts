/** What English abbreviations stand for; a voice would spell them, or take their full stop for the end. */
const ENGLISH: readonly [RegExp, string][] = [
  [/\be\.g\.(,)?/gi, 'for example$1'],
  [/\bi\.e\.(,)?/gi, 'that is$1'],
  [/\betc\.(?=\s+[a-z(])/g, 'et cetera'],
  [/\betc\./g, 'et cetera.'],
  [/\bvs\.?(?=\s)/g, 'versus'],
  [/\bapprox\.(?=\s)/g, 'approximately'],
  [/\bDr\.(?=\s+\p{Lu})/gu, 'Doctor'],
  [/\bProf\.(?=\s+\p{Lu})/gu, 'Professor'],
  [/\bMr\.(?=\s)/g, 'Mister'],
  [/\bMrs\.(?=\s)/g, 'Missus'],
  [/\bMs\.(?=\s)/g, 'Miz'],
  [/\bSt\.(?=\s+\p{Lu})/gu, 'Saint'],
  [/\b(?:No|Nr)\.(?=\s*\d)/g, 'number'],
  [/(?<=\d) ?km\/h\b/g, ' kilometers an hour'],
  [/(?<=\d) ?mph\b/g, ' miles an hour'],
  [/(?<=\d) ?km\b/g, ' kilometers'],
  [/(?<=\d) ?kg\b/g, ' kilograms'],
  [/(?<=\d) ?cm\b/g, ' centimeters'],
  [/(?<=\d) ?mm\b/g, ' millimeters'],
  [/(?<=\d) ?°C(?![\p{L}])/gu, ' degrees Celsius'],
  [/(?<=\d) ?°F(?![\p{L}])/gu, ' degrees Fahrenheit'],
  [/(?<=\d) ?°(?!\p{L})/gu, ' degrees'],
  [/(?<=\s)&(?=\s)/g, 'and']
]

export function expandAbbreviations (text: string, language: string): string {
  return language === 'en' ? ENGLISH.reduce((text, [pattern, words]) => text.replace(pattern, words), text) : text
}
