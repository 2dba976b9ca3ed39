"""The works that the methods cite: once here, as BibTeX and as words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A work; `kind` is BibTeX's, `place` its fields besides author, title and year."""

    kind: str
    authors: str  # as BibTeX has them: Surname, Given and Surname, Given
    title: str
    year: int
    place: dict[str, str]

    @property
    def short(self):
        """What stands in a text.

        Examples
        --------
        >>> REFERENCES["holm1979"].short, REFERENCES["hinton2015"].short
        ('Holm 1979', 'Hinton et al. 2015')
        """
        names = [name.split(",")[0] for name in self.authors.split(" and ")]
        rest = {1: "", 2: f" & {names[-1]}"}.get(len(names), " et al.")
        return f"{names[0]}{rest} {self.year}"

    @property
    def words(self):
        """The whole entry, for people."""
        authors = self.authors.replace(" and ", "; ")
        where = ", ".join(value for key, value in self.place.items() if key != "doi")
        return f"{authors} ({self.year}). {self.title}. {where}."

    def bibtex(self, key):
        """The entry of a ``.bib`` file."""
        # Titles in braces: styles would write fMRI and GPU in small letters.
        fields = {"author": self.authors, "title": f"{{{self.title}}}", "year": str(self.year)}
        lines = [f"  {name} = {{{value}}}" for name, value in (fields | self.place).items()]
        return f"@{self.kind}{{{key},\n" + ",\n".join(lines) + "\n}\n"


def _article(authors, title, year, journal, **place):
    return Reference("article", authors, title, year, {"journal": journal, **place})


def _preprint(authors, title, year, number):
    return Reference("misc", authors, title, year, {"howpublished": f"arXiv:{number}"})


def _talk(authors, title, year, booktitle):
    return Reference("inproceedings", authors, title, year, {"booktitle": booktitle})


def _book(authors, title, year, publisher):
    return Reference("book", authors, title, year, {"publisher": publisher})


REFERENCES = {
    "clopper1934": _article(
        "Clopper, C. J. and Pearson, E. S.",
        "The use of confidence or fiducial limits illustrated in the case of the binomial",
        1934, "Biometrika", volume="26", pages="404--413",
    ),
    "dapello2023": _talk(
        "Dapello, Joel and Kar, Kohitij and Schrimpf, Martin and others",
        "Aligning model and macaque inferior temporal cortex representations improves "
        "model-to-human behavioral alignment and adversarial robustness",
        2023, "International Conference on Learning Representations",
    ),
    "efron1993": _book(
        "Efron, Bradley and Tibshirani, Robert J.", "An Introduction to the Bootstrap", 1993,
        "Chapman and Hall",
    ),
    "ernst2004": _article(
        "Ernst, Michael D.", "Permutation methods: a basis for exact inference", 2004,
        "Statistical Science", volume="19", pages="676--685",
    ),
    "federer2020": _preprint(
        "Federer, Callie and Xu, Haoyan and Fyshe, Alona and Zylberberg, Joel",
        "Improved object recognition using neural networks trained to mimic the brain's "
        "statistical properties", 2020, "1905.10679",
    ),
    "fong2018": _article(
        "Fong, Ruth C. and Scheirer, Walter J. and Cox, David D.",
        "Using human brain activity to guide machine learning", 2018, "Scientific Reports",
        volume="8", pages="5397",
    ),
    "freedman1983": _article(
        "Freedman, David and Lane, David",
        "A nonstochastic interpretation of reported significance levels", 1983,
        "Journal of Business and Economic Statistics", volume="1", pages="292--298",
    ),
    "guo2017": _preprint(
        "Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.",
        "On calibration of modern neural networks", 2017, "1706.04599",
    ),
    "he2016": _preprint(
        "He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian",
        "Deep residual learning for image recognition", 2016, "1512.03385",
    ),
    "hinton2002": _article(
        "Hinton, Geoffrey E.",
        "Training products of experts by minimizing contrastive divergence", 2002,
        "Neural Computation", volume="14", pages="1771--1800",
    ),
    "hinton2015": _preprint(
        "Hinton, Geoffrey and Vinyals, Oriol and Dean, Jeff",
        "Distilling the knowledge in a neural network", 2015, "1503.02531",
    ),
    "holm1979": _article(
        "Holm, Sture", "A simple sequentially rejective multiple test procedure", 1979,
        "Scandinavian Journal of Statistics", volume="6", pages="65--70",
    ),
    "horikawa2017": _article(
        "Horikawa, Tomoyasu and Kamitani, Yukiyasu",
        "Generic decoding of seen and imagined objects using hierarchical visual features", 2017,
        "Nature Communications", volume="8", pages="15037",
    ),
    "huang2022": _preprint(
        "Huang, Tao and You, Shan and Wang, Fei and Qian, Chen and Xu, Chang",
        "Knowledge distillation from a stronger teacher", 2022, "2205.10536",
    ),
    "kornblith2019": _preprint(
        "Kornblith, Simon and Norouzi, Mohammad and Lee, Honglak and Hinton, Geoffrey",
        "Similarity of neural network representations revisited", 2019, "1905.00414",
    ),
    "kriegeskorte2008": _article(
        "Kriegeskorte, Nikolaus and Mur, Marieke and Bandettini, Peter",
        "Representational similarity analysis: connecting the branches of systems neuroscience",
        2008, "Frontiers in Systems Neuroscience", volume="2", pages="4",
    ),
    "loshchilov2019": _preprint(
        "Loshchilov, Ilya and Hutter, Frank", "Decoupled weight decay regularization", 2019,
        "1711.05101",
    ),
    "mcclure2016": _article(
        "McClure, Patrick and Kriegeskorte, Nikolaus",
        "Representational distance learning for deep neural networks", 2016,
        "Frontiers in Computational Neuroscience", volume="10", pages="131",
    ),
    "paszke2019": _preprint(
        "Paszke, Adam and Gross, Sam and Massa, Francisco and others",
        "PyTorch: an imperative style, high-performance deep learning library", 2019,
        "1912.01703",
    ),
    "pedregosa2011": _article(
        "Pedregosa, Fabian and Varoquaux, Gaël and Gramfort, Alexandre and others",
        "Scikit-learn: machine learning in Python", 2011,
        "Journal of Machine Learning Research", volume="12", pages="2825--2830",
    ),
    "peterson2019": _preprint(
        "Peterson, Joshua C. and Battleday, Ruairidh M. and Griffiths, Thomas L. and "
        "Russakovsky, Olga",
        "Human uncertainty makes classification more robust", 2019, "1908.07086",
    ),
    "satterthwaite1946": _article(
        "Satterthwaite, F. E.", "An approximate distribution of estimates of variance components",
        1946, "Biometrics Bulletin", volume="2", pages="110--114",
    ),
    "schuirmann1987": _article(
        "Schuirmann, Donald J.",
        "A comparison of the two one-sided tests procedure and the power approach for assessing "
        "the equivalence of average bioavailability", 1987,
        "Journal of Pharmacokinetics and Biopharmaceutics", volume="15", pages="657--680",
    ),
    "searle1992": _book(
        "Searle, Shayle R. and Casella, George and McCulloch, Charles E.", "Variance Components",
        1992, "Wiley",
    ),
    "sun2024": _preprint(
        "Sun, Shangquan and Ren, Wenqi and Li, Jingzhi and Wang, Rui and Cao, Xiaochun",
        "Logit standardization in knowledge distillation", 2024, "2403.01427",
    ),
    "szegedy2016": _preprint(
        "Szegedy, Christian and Vanhoucke, Vincent and Ioffe, Sergey and Shlens, Jonathon and "
        "Wojna, Zbigniew",
        "Rethinking the inception architecture for computer vision", 2016, "1512.00567",
    ),
    "zagoruyko2017": _preprint(
        "Zagoruyko, Sergey and Komodakis, Nikos",
        "Paying more attention to attention: improving the performance of convolutional neural "
        "networks via attention transfer", 2017, "1612.03928",
    ),
    "zhao2022": _preprint(
        "Zhao, Borui and Cui, Quan and Song, Renjie and Qiu, Yiyu and Liang, Jiajun",
        "Decoupled knowledge distillation", 2022, "2203.08679",
    ),
}  # fmt: skip


def references_bib(keys):
    """A ``references.bib`` of some keys, in alphabetical order."""
    return "\n".join(REFERENCES[key].bibtex(key) for key in sorted(keys))
