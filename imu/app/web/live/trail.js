// The trunk angle against time, with the repetitions as shapes at their turning points.

const FULL_DEG = 100, LEFT = 30, RIGHT = 12;
const JOINED_S = 0.15; // samples come in bursts: a value that stays for less is not drawn as a step

export function shapeOf(pattern) {
  return { squat: "M12 2a10 10 0 1 0 .01 0Z", hinge: "M12 2L23 21H1Z", mixed: "M12 1L23 12 12 23 1 12Z" }[pattern] || "M3 3H21V21H3Z";
}

export function drawTrail(canvas, points, marks, span) {
  const width = canvas?.clientWidth, height = canvas?.clientHeight, ratio = window.devicePixelRatio || 1;
  if (!width || !height) return;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d"), style = getComputedStyle(canvas), ink = (name) => style.getPropertyValue(name);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const end = points.length ? points[points.length - 1][0] : span;
  const x = (t) => LEFT + ((t - end + span) / span) * (width - LEFT - RIGHT);
  const y = (deg) => height - 6 - (Math.max(0, deg) / FULL_DEG) * (height - 16);
  drawGrid(pen, width, y, ink);
  pen.save(); pen.beginPath(); pen.rect(LEFT, 0, width - LEFT, height); pen.clip();
  drawLine(pen, points, x, y, ink);
  for (const one of marks) drawMark(pen, one, x(one.t), y(one.deg), y(0), ink);
  pen.restore();
}

function drawGrid(pen, width, y, ink) {
  pen.font = "12px system-ui, sans-serif"; pen.textAlign = "right"; pen.textBaseline = "middle"; pen.lineWidth = 1;
  for (const deg of [0, 30, 60, 90]) {
    pen.strokeStyle = ink("--line"); pen.beginPath(); pen.moveTo(LEFT, y(deg)); pen.lineTo(width - RIGHT, y(deg)); pen.stroke();
    pen.fillStyle = ink("--soft"); pen.fillText(deg, LEFT - 5, y(deg));
  }
}

function drawLine(pen, points, x, y, ink) {
  pen.strokeStyle = ink("--ink"); pen.lineWidth = 2; pen.lineJoin = "round"; pen.beginPath();
  let last = null;
  for (const [t, deg] of points) {
    if (deg === null) { last = null; continue; }
    if (last && last[1] === deg && t - last[0] < JOINED_S) continue;
    if (last) pen.lineTo(x(t), y(deg)); else pen.moveTo(x(t), y(deg));
    last = [t, deg];
  }
  pen.stroke();
}

function drawMark(pen, one, across, up, floor, ink) {
  pen.strokeStyle = pen.fillStyle = ink(`--${one.pattern}`) || ink("--ink"); pen.lineWidth = 1;
  pen.setLineDash([3, 3]); pen.beginPath(); pen.moveTo(across, up); pen.lineTo(across, floor); pen.stroke(); pen.setLineDash([]);
  pen.save(); pen.translate(across - 7, up - 7); pen.scale(14 / 24, 14 / 24); pen.fill(new Path2D(shapeOf(one.pattern))); pen.restore();
}
