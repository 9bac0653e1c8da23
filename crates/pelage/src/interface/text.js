// The words of the page, in two languages.

const words = {
  en: {
    skip: "To the content", views: "Views", language: "Language", try: "Try it", model: "Model", models: "Models",
    runs: "Training runs", api: "API", tokenNeeded: "This server asks for a token", token: "Token",
    enter: "Enter", tokenWrong: "That is not the token.", tryTitle: "What does {0} see?", and: " and ",
    drop: "Drop pictures here", choose: "Choose pictures", photo: "Take a photo",
    dropHint: "or paste them with Ctrl+V. They stay on this machine and its server.",
    dropHintHere: "or paste them with Ctrl+V. They never leave this device.", loading: "Loading the model …",
    loadingShare: "Loading the model: {0} of {1} MB …", notLoaded: "The model could not be loaded: {0}",
    tooOld: "this browser is too old, its WebAssembly has no vector instructions",
    broken: "it could not be read: it is damaged, or needs too much memory",
    csv: "Download as CSV", clear: "Clear", results: "Pictures, newest first", onePicture: "1 picture",
    pictures: "{0} pictures", camera: "Camera", shoot: "Take the picture", close: "Close",
    noCamera: "The camera cannot be used: {0}", layersTitle: "What the layers make of it", before: "Layer before",
    next: "Next layer", layer: "Layer", waiting: "Waiting …", unknown: "unknown",
    tooUnsure: "It is not confident enough: {0}.", tooFar: "The picture is unlike all of training: {0}.",
    heat: "What does it look at?", heatFor: "Parts of the picture that support “{0}”", strength: "Strength",
    layers: "Layers", remove: "Remove", removeNamed: "Remove {0}", noPreview: "no preview", photoName: "photo",
    pasted: "pasted", failed: "It could not be asked: {0}", busy: "The server is busy; trying again …",
    tooLarge: "larger than {0} MB", said: "{0}: {1}", feedback: "What is it really?", neither: "neither",
    teach: "Teach", teachIntro: "Name classes and show {1} or more pictures of each. A head on {0} learns them here, in the background; the pictures are kept only while it learns.",
    className: "Class {0}", classNumber: "class {0}", classAdd: "Another class", learn: "Learn",
    nameClasses: "Give every class a name of its own.", morePictures: "{0} needs {1} more.",
    learning: "Learning: epoch {0} of {1}", learnt: "Learnt. Accuracy {0}", taught: "It has learnt",
    taughtAccuracy: "{0}. Right on pictures set aside: {1}, of {2}.", tryPicture: "Try a picture", download: "Download the model",
    kept: "Kept as “{0}”. Thank you.", network: "Network", classes: "Classes", accuracy: "Validation accuracy",
    interval: "{0} (95 % interval {1} to {2})", loss: "Validation loss", trainedOn: "Trained on",
    flattered: "Flattered", flatteredValue: "near copies of {0} of {1} validation pictures were trained on",
    trainedOnValue: "{0} pictures, validated on {1}", data: "Data", written: "Written", epoch: "Epoch",
    input: "Input", squash: "{0} × {1} pixels, the whole picture squashed to it",
    crop: "{0} × {1} pixels, the middle of the picture", filter: "Filter", mean: "Mean and deviation",
    parameters: "Parameters", multiplyAdds: "Multiplications for a picture", calibrated: "Calibrated",
    temperature: "yes, temperature {0}", no: "no", architecture: "Picture of the network", curves: "Curves of training",
    train: "training", validation: "validation", lossChart: "Loss", accuracyChart: "Accuracy (%)",
    numbers: "The numbers", chartOf: "{0} over {1} epochs; last: training {2}, validation {3}", noRuns: "No runs there.",
    state: "State", remaining: "Time left", running: "training", finished: "finished", early: "stopped early", interrupted: "interrupted",
    stopped: "stopped", left: "At most {0} left", rate: "Rate", rateValue: "{0} pictures/s, learning rate {1}",
    best: "Best epoch", bestValue: "{0}: validation loss {1}, accuracy {2}", progress: "Epoch {0} of {1}",
    report: "Open its report", noReport: "A report: pelage report {0} --out {0}/report.html", back: "All runs",
    confusion: "Which pictures were called what, after the last epoch", isCalled: "is, called",
    updated: "Updated", seconds: "{0} s", minutes: "{0} min", hours: "{0} h {1} min", options: "Options",
    answer: "Answer", lost: "The connection was lost; trying again …",
    searches: "Searches", noSearches: "No searches there.", allSearches: "All searches", trials: "Trials",
    trialsThat: "{0} {1}", trialsOf: "Trial {0} of {1}", bestSoFar: "Best so far",
    bestTrial: "trial {0}: {1} {2} after {3} epochs", "validation-loss": "validation loss",
    "validation-accuracy": "validation accuracy", "trial-running": "training", "trial-complete": "complete",
    "trial-paused": "paused", "trial-pruned": "pruned", "trial-failed": "failed", trial: "trial", epochs: "epochs",
    trialState: "state", theBest: "The best", parallel: "Parallel coordinates", slices: "Slices",
    parallelHint: "A line is a trial: the best tenth strong, the best third blue. What does not apply to a trial runs below the axis.",
    slicesHint: "A dot is a trial: its value over one setting, all others as they were. The worst tenth lies at the edge.",
    importance: "What matters",
    importanceHint: "Permutation importance: how much worse a random forest predicts the place of a trial among all, once the values of a setting are exchanged among the trials; as shares of all settings.",
  },
  zh: {
    skip: "跳到内容", views: "视图", language: "语言", try: "试一试", model: "模型", models: "模型",
    runs: "训练记录", api: "接口", tokenNeeded: "此服务器需要令牌", token: "令牌", enter: "进入",
    tokenWrong: "令牌不对。", tryTitle: "{0} 看到了什么？", and: " 和 ", drop: "把图片拖到这里", choose: "选择图片",
    photo: "拍照", dropHint: "或用 Ctrl+V 粘贴。图片只留在本机和它的服务器上。",
    dropHintHere: "或用 Ctrl+V 粘贴。图片不会离开这台设备。", loading: "正在加载模型……",
    loadingShare: "正在加载模型：{0} ／ {1} MB……", notLoaded: "无法加载模型：{0}",
    tooOld: "浏览器太旧，它的 WebAssembly 没有向量指令", broken: "无法读取：文件已损坏，或需要太多内存",
    csv: "下载 CSV", clear: "清空",
    results: "图片，最新的在前", onePicture: "1 张图片", pictures: "{0} 张图片", camera: "相机", shoot: "拍下", close: "关闭",
    noCamera: "无法使用相机：{0}", layersTitle: "各层看到的样子", before: "上一层", next: "下一层", layer: "层",
    waiting: "等待中……", unknown: "未知", tooUnsure: "把握不够：{0}。", tooFar: "这张图片与训练时见过的都不像：{0}。",
    heat: "它在看哪里？", heatFor: "支持“{0}”的部分", strength: "强度", layers: "各层", remove: "移除", removeNamed: "移除 {0}",
    noPreview: "无预览", photoName: "照片", pasted: "粘贴", failed: "无法询问：{0}", busy: "服务器繁忙，正在重试……",
    tooLarge: "大于 {0} MB", said: "{0}：{1}", feedback: "它其实是什么？", neither: "都不是",
    teach: "教它", teachIntro: "给类别命名，每类给出至少 {1} 张图片。以 {0} 为骨干，在后台学习；图片只在学习期间保留。",
    className: "类别 {0}", classNumber: "类别 {0}", classAdd: "再加一类", learn: "学习", nameClasses: "请给每个类别起不同的名字。",
    morePictures: "{0} 还需要 {1} 张。", learning: "学习中：第 {0} 轮，共 {1} 轮", learnt: "学会了。准确率 {0}", taught: "它学会了",
    taughtAccuracy: "{0}。留出图片上的准确率：{1}，共 {2} 张。", tryPicture: "试一张图片", download: "下载模型", kept: "已存为“{0}”，谢谢。",
    network: "网络", classes: "类别", accuracy: "验证准确率", interval: "{0}（95 % 区间 {1} 至 {2}）", loss: "验证损失",
    flattered: "偏高", flatteredValue: "{1} 张验证图片中有 {0} 张的近似副本用于训练",
    trainedOn: "训练图片", trainedOnValue: "{0} 张，验证 {1} 张", data: "数据", written: "写于", epoch: "轮次",
    input: "输入", squash: "{0} × {1} 像素，整张图片缩放", crop: "{0} × {1} 像素，取图片中部", filter: "滤波",
    mean: "均值与标准差", parameters: "参数", multiplyAdds: "每张图片的乘法次数", calibrated: "已校准",
    temperature: "是，温度 {0}", no: "否", architecture: "网络结构图", curves: "训练曲线", train: "训练", validation: "验证",
    lossChart: "损失", accuracyChart: "准确率（%）", numbers: "数值", chartOf: "{0}，共 {1} 轮；最后：训练 {2}，验证 {3}",
    noRuns: "那里没有训练记录。", state: "状态", remaining: "剩余时间", running: "训练中", finished: "已完成", early: "提前停止", interrupted: "已中断",
    stopped: "已停止", left: "最多还需 {0}", rate: "速度", rateValue: "每秒 {0} 张，学习率 {1}", best: "最佳轮次",
    bestValue: "{0}：验证损失 {1}，准确率 {2}", progress: "第 {0} 轮，共 {1} 轮", report: "打开报告",
    noReport: "生成报告：pelage report {0} --out {0}/report.html", back: "全部训练记录",
    confusion: "最后一轮之后，哪些图片被判为哪一类", isCalled: "实际 ／ 判为",
    updated: "更新于", seconds: "{0} 秒", minutes: "{0} 分钟", hours: "{0} 小时 {1} 分钟",
    options: "选项", answer: "回答", lost: "连接中断，正在重试……",
    searches: "参数搜索", noSearches: "那里没有参数搜索。", allSearches: "全部参数搜索", trials: "试验",
    trialsThat: "{1} {0} 个", trialsOf: "第 {0} 个试验，共 {1} 个", bestSoFar: "目前最佳",
    bestTrial: "试验 {0}：{1} {2}，{3} 轮之后", "validation-loss": "验证损失", "validation-accuracy": "验证准确率",
    "trial-running": "训练中", "trial-complete": "已完成", "trial-paused": "已暂停", "trial-pruned": "已放弃",
    "trial-failed": "已失败", trial: "试验", epochs: "轮数", trialState: "状态", theBest: "最佳试验", parallel: "平行坐标",
    slices: "切面", parallelHint: "每条线是一次试验：最好的十分之一为粗线，最好的三分之一为蓝色。不适用于该试验的设置画在轴的下方。",
    slicesHint: "每个点是一次试验：横轴为一项设置，其余设置各随其试验。最差的十分之一落在边缘。", importance: "什么最重要",
    importanceHint: "置换重要性：在各次试验之间交换一项设置的取值之后，随机森林对试验名次的预测变差多少；以占全部设置的比例表示。",
  },
};

const known = (code) => Object.keys(words).find((name) => code?.toLowerCase().startsWith(name));
const stored = () => { try { return localStorage.getItem("language"); } catch { return null; } };
let language = known(stored()) ?? navigator.languages.map(known).find(Boolean) ?? "en";

// The text of that name, its {0}, {1} ... replaced.
export function text(name, ...values) {
  const found = words[language][name] ?? words.en[name] ?? name;
  return found.replace(/\{(\d)\}/g, (_, at) => values[at]);
}

export const current = () => language;
export const locale = () => (language === "zh" ? "zh-CN" : "en");

// Shows every fixed text of the page in the chosen language.
export function translate(root = document) {
  document.documentElement.lang = locale();
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of root.querySelectorAll("[data-label]"))
    element.setAttribute("aria-label", text(element.dataset.label));
}

// Lets `select` choose the language; `changed` is called after a change.
export function chooser(select, changed) {
  select.value = language;
  select.addEventListener("change", () => {
    language = select.value;
    try { localStorage.setItem("language", language); } catch { /* Then it is chosen anew next time. */ }
    changed();
  });
}

export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
export const count = (number) => number.toLocaleString(locale());
export const date = (seconds) => new Date(1000 * seconds).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" });
export function duration(seconds) {
  if (seconds < 90) return text("seconds", Math.round(seconds));
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? text("minutes", minutes) : text("hours", Math.floor(minutes / 60), minutes % 60);
}
