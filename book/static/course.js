// Exercises that the page checks itself, and what the learner has done, kept in this browser only.
"use strict";

(() => {
  const KEY = "genlib-course";
  const recall = () => {
    try { return { solved: {}, read: {}, ...JSON.parse(localStorage.getItem(KEY)) }; }
    catch { return { solved: {}, read: {} }; }
  };
  const remember = (kind, name) => {
    const done = recall();
    done[kind][name] = true;
    try { localStorage.setItem(KEY, JSON.stringify(done)); } catch { /* a private window */ }
  };

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };

  // As genlib.check judges: near, to the tolerance, or as float32 comes to large numbers.
  const close = (value, wanted, tolerance) =>
    value === wanted || Number.isFinite(wanted) && Math.abs(value - wanted) <= tolerance + 1e-6 * Math.abs(wanted);

  const judge = (exercise, text) => {
    const plain = text.trim().replace(/[−–]/g, "-").replace(/^\+/, "").replace("∞", "Infinity").replace(/^(-?)inf$/i, "$1Infinity");
    const fraction = plain.match(/^(-?[\d.]+)\s*\/\s*([\d.]+)$/);
    const value = fraction ? fraction[1] / fraction[2] : plain === "" ? NaN : Number(plain);
    if (Number.isNaN(value)) return [false, "one number is asked for, such as 0.25, 1/4 or -1e-3."];
    const truth = Number(String(exercise.truth).replace("inf", "Infinity"));
    for (const [known, message] of [[truth, exercise.right], ...exercise.mistakes]) {
      const wanted = Number(String(known).replace("inf", "Infinity"));
      if (close(value, wanted, exercise.tolerance)) return [message === exercise.right, message];
    }
    if (!Number.isFinite(value)) return [false, "the answer is infinite, and the right one is not."];
    if (!Number.isFinite(truth)) return [false, `${value} is finite, and the right answer is not.`];
    return [false, `${value} is too ${value < truth ? "small" : "large"}.`];
  };

  const ask = (place) => {
    const name = place.dataset.exercise;
    const exercise = JSON.parse(place.dataset.answer);
    const verdict = make("div", { class: "gq-verdict", role: "status", "aria-live": "polite" });
    const say = ([right, message]) => {
      verdict.textContent = `${right ? "Right:" : "Not yet:"} ${message}`;
      verdict.dataset.right = right;
      if (right) remember("solved", name);
    };
    if (exercise.kind === "number") {
      const input = make("input", { type: "text", inputmode: "decimal", size: 12, "aria-label": "Your answer, a number", autocomplete: "off" });
      const form = make("form", {}, make("label", {}, "Your answer ", input), make("button", { type: "submit" }, "Check"));
      form.addEventListener("submit", (event) => { event.preventDefault(); say(judge(exercise, input.value)); });
      place.append(form, verdict);
    } else {
      const group = make("div", { role: "group", "aria-label": "Your answer", class: "gq-options" });
      exercise.options.forEach(([option, message], k) => {
        const button = make("button", { type: "button", "aria-pressed": false }, option);
        button.addEventListener("click", () => {
          for (const other of group.children) other.setAttribute("aria-pressed", other === button);
          say([k === exercise.right, message]);
        });
        group.append(button);
      });
      place.append(group, verdict);
    }
    if (recall().solved[name]) verdict.textContent = "You have solved this one.";
  };

  // A film of a training: its stored frames, one at a time.
  const screen = (place) => {
    const frames = [...place.querySelectorAll("img")];
    const input = make("input", { type: "range", min: 0, max: frames.length - 1, "aria-label": "Frame" });
    const said = make("output");
    const show = (k) => {
      frames.forEach((frame, i) => { frame.hidden = i !== k; });
      input.value = k;
      said.textContent = `frame ${k + 1} of ${frames.length}`;
    };
    let clock = null;
    const button = make("button", { type: "button" }, "Play");
    const stop = () => { clearInterval(clock); clock = null; button.textContent = "Play"; };
    button.addEventListener("click", () => {
      if (clock) return stop();
      let k = 0;
      show(k);
      button.textContent = "Stop";
      clock = setInterval(() => { show(++k); if (k === frames.length - 1) stop(); }, 900);
    });
    input.addEventListener("input", () => { stop(); show(Number(input.value)); });
    frames.forEach((frame) => { frame.loading = "eager"; });
    place.append(make("div", { class: "gf-row" }, button, input, said,
      make("small", {}, "The page keeps these frames; the lecture, when you run it, has them all.")));
    show(frames.length - 1);
  };

  const colourMap = () => {
    const done = recall();
    for (const station of document.querySelectorAll(".map [data-lecture]")) {
      const slug = station.dataset.lecture, all = Number(station.dataset.exercises);
      const solved = Object.keys(done.solved).filter((name) => name.startsWith(slug + "/")).length;
      station.classList.toggle("read", Boolean(done.read[slug]));
      station.classList.toggle("done", all > 0 && solved >= all);
      const old = station.querySelector(".progress");
      if (old) old.remove();
      const words = [done.read[slug] ? "read" : "", solved ? `${solved} of ${all} solved` : ""].filter(Boolean).join(", ");
      if (words) station.append(make("small", { class: "progress" }, words));
    }
  };

  const begin = () => {
    document.querySelectorAll(".gq[data-exercise]").forEach(ask);
    document.querySelectorAll(".gf").forEach(screen);
    colourMap();
    const forget = document.getElementById("forget");
    if (forget) forget.addEventListener("click", () => { try { localStorage.removeItem(KEY); } catch { /* none */ } colourMap(); });
    const end = document.querySelector(".lecture-end");
    if (end) {
      new IntersectionObserver((entries) => {
        if (entries.some((entry) => entry.isIntersecting)) remember("read", end.dataset.lecture);
      }).observe(end);
    }
  };
  // A page on paper has nothing folded.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
  addEventListener("pageshow", colourMap);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
