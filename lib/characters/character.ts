/**
 * What authors import as `dramatis/character`: types, and one function that only helps the editor.
 * No dependency at run time, so it is safe in a browser.
 */
export function defineCharacter<T> (character: T): T { return character }
