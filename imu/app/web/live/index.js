// What the live page draws and what is heard of it.

export { beep, speak, unlockSound } from "./sound.js";
export { drawTrail, shapeOf } from "./trail.js";
