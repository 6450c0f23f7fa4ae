const small = 'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' ')
const tens = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ')

/** A whole number up to 9999 as it is spoken; larger ones stay figures. */
export function inWords (number: number): string {
  if (!Number.isInteger(number) || number < 0 || number > 9999) return String(number)
  if (number < 20) return small[number]!
  if (number < 100) return tens[Math.floor(number / 10) - 2]! + (number % 10 === 0 ? '' : `-${small[number % 10]}`)
  const [unit, name] = number < 1000 ? [100, 'hundred'] : [1000, 'thousand']
  const rest = number % unit
  return `${inWords(Math.floor(number / unit))} ${name}` + (rest === 0 ? '' : rest < 100 ? ` and ${inWords(rest)}` : ` ${inWords(rest)}`)
}

/** `one apple`, `two apples`. */
export function counted (number: number, one: string, many = `${one}s`): string {
  return `${inWords(number)} ${number === 1 ? one : many}`
}

/** The time of day as one says it: twenty-five past three in the afternoon. */
export function clockInWords (date: Date): string {
  const minutes = date.getMinutes()
  const hour = (date.getHours() + (minutes > 30 ? 1 : 0)) % 24
  if (minutes === 0 && hour % 12 === 0) return hour === 0 ? 'midnight' : 'noon'
  const part = hour < 12 ? 'in the morning' : hour < 18 ? 'in the afternoon' : 'in the evening'
  const name = `${inWords(hour % 12 === 0 ? 12 : hour % 12)} ${part}`
  if (minutes === 0) return name.replace(' in', ' o\'clock in')
  const [distance, word] = minutes <= 30 ? [minutes, 'past'] : [60 - minutes, 'to']
  const span = distance === 30 ? 'half' : distance === 15 ? 'a quarter' : distance % 5 === 0 ? inWords(distance) : counted(distance, 'minute')
  return `${span} ${word} ${name}`
}

/** A length of time as one says it, to the second below an hour: two minutes and five seconds. */
export function durationInWords (milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  const parts = hours > 0
    ? [counted(hours, 'hour'), minutes > 0 ? counted(minutes, 'minute') : '']
    : [minutes > 0 ? counted(minutes, 'minute') : '', seconds % 60 > 0 || minutes === 0 ? counted(seconds % 60, 'second') : '']
  return parts.filter(part => part !== '').join(' and ')
}
